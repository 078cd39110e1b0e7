// Serves a models folder and tells its parent the URL. Ends when its parent disconnects.
import { serve } from "../server/dist/index.js";

const server = await serve({ modelsDir: process.argv[2], page: false, device: "cpu" });
process.on("message", () => process.send({ url: server.url }));
process.once("disconnect", () => server.close());
