import { defineConfig } from "vite";

/** The page is served beside an API at a prefix of its own, so its own addresses are relative; nothing is inlined, for the strict policy. */
export default defineConfig({
  base: "./",
  build: {
    outDir: "../dist/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
