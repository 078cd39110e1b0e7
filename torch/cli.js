#!/usr/bin/env node
import "../dist/torch-cli/main.js";
