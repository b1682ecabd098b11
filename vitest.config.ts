import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Timing matters to what is tested (deadlines, back-off): few files at once on a small machine.
    maxWorkers: 2,
    // Real servers, processes and deadlines on a machine that is shared: what fails three times there is broken.
    retry: process.env.CI ? 2 : 0,
  },
});
