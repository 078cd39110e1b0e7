// node serve.mjs '{"modelsDir":…}': the built server in a process of its own; its address on stdout, closed with stdin.
import { serve } from "small-dataset-audio-server";

const server = await serve(JSON.parse(process.argv[2]));
console.log(server.url);
process.stdin.resume().on("end", () => server.close());
