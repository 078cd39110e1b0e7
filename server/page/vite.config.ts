import { defineConfig } from "vite";

/**
 * The page may be served under any prefix, so its URLs are relative. Nothing is inlined, because
 * the content policy forbids inline code.
 */
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
