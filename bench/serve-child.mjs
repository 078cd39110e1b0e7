// Serves the folder it is given, and answers with the address. Ends when its parent lets go of it.
import { serve } from "../server/dist/index.js";

const server = await serve({ modelsDir: process.argv[2], page: false, device: "cpu" });
process.on("message", () => process.send({ url: server.url }));
process.once("disconnect", () => server.close());
