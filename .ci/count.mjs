// Adds up vitest's JSON reports and prints `N passed, N failed`, with `, N skipped` if any were.
// Exit status 1 when a test failed, a report is missing or no test ran: none of these is a success.
import { readFileSync } from "node:fs";

const total = { passed: 0, failed: 0, skipped: 0 };
let isComplete = true;
for (const file of process.argv.slice(2)) {
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    total.passed += report.numPassedTests;
    total.failed += report.numFailedTests;
    total.skipped += report.numPendingTests + report.numTodoTests;
    // A file that could not even be loaded has no tests to count.
    for (const { name, status, assertionResults } of report.testResults) {
      if (status === "failed" && assertionResults.length === 0) {
        console.error(`could not be run: ${name}`);
        total.failed += 1;
      }
    }
    if (report.numPassedTests === 0) isComplete = false;
  } catch (error) {
    console.error(`no report: ${error.message}`);
    isComplete = false;
  }
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
process.exitCode = isComplete && total.failed === 0 ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
