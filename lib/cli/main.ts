#!/usr/bin/env node
import { runProcess } from "./process.js";
import { run } from "./program.js";

await runProcess(run);
