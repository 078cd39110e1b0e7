import { defineConfig } from "vite";

/** The page is served beside an API at a prefix of its own, so its own addresses are relative. */
export default defineConfig({
  base: "./",
  build: { outDir: "../dist/page", emptyOutDir: true, target: "es2022" },
});
