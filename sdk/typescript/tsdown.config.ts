import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/express.ts", "src/fastify.ts", "src/web.ts", "src/next.ts", "src/node.ts"],
  format: ["esm", "cjs"],
  dts: true,
  clean: true,
  platform: "neutral",
  target: "es2022",
  outExtensions: ({ format }) => ({ js: format === "cjs" ? ".cjs" : ".js", dts: format === "cjs" ? ".d.cts" : ".d.ts" }),
  external: [/^node:/],
});
