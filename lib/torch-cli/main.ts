#!/usr/bin/env node
import { runProcess } from "../cli/process.js";
import { run } from "./program.js";

await runProcess(run);
