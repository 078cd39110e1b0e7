/** Serves the folder of its argument and prints the URL. */
import { serve } from "../../server/src/index.js";

const [modelsDir = ""] = process.argv.slice(2);
const server = await serve({ modelsDir, device: "cpu", page: false, token: false });
console.log(server.url);
