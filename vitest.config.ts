import { defineConfig } from "vitest/config";

/** Tests that start the built program, real servers or processes, or that take their time. */
const WHOLE = [
  "test/{attack,bench,commands,deploy,doctor,e2e,support}/**",
  "test/cache/stores/**",
  "test/control/server.test.ts",
  "test/decision/{deadline,on-failure,stress}.test.ts",
  "test/observe/destination.test.ts",
  "test/packaging/completions.test.ts",
  "test/postfix/{connection,listener,stdio}.test.ts",
  "test/time/timer.test.ts",
  "test/upstream/{overload,own-trouble,retry,silence,time}.test.ts",
  "test/upstream/transport/**",
];

/**
 * What comes out the same whatever Node runs vitest: a package that runs the system's own Node, an image that brings its own (its
 * compiled modules with another Node are npm-package.test.ts's part), manifests, completions in shells, and what is read of
 * Postfix's own configuration. .ci/run leaves them out, by PFXBRIDGE_OTHER_NODE, when it runs the tests again on another Node.
 */
const ANY_NODE = [
  "test/e2e/debian-package.test.ts",
  "test/deploy/{containers,image}.test.ts",
  "test/doctor/postfix.test.ts",
  "test/packaging/completions.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Timing matters to what is tested (deadlines, back-off): few files at once on a small machine.
    maxWorkers: 2,
    // Real servers, processes and deadlines on a machine that is shared: what fails twice there is broken.
    retry: process.env.CI ? 1 : 0,
    projects: [
      // No build, and no waiting for it: `npm run test:unit`, `npm run test:watch`.
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"], exclude: WHOLE } },
      {
        extends: true,
        test: {
          name: "whole",
          include: WHOLE.map((place) => place.replace(/\*\*$/, "**/*.test.ts")),
          exclude: process.env.PFXBRIDGE_OTHER_NODE ? ANY_NODE : [],
        },
      },
    ],
  },
});
