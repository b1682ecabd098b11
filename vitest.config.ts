import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Timing matters to what is tested (deadlines, back-off): few files at once on a small machine.
    maxWorkers: 2,
  },
});
