//! The `growler` command: consistency and chaos tests for DynamoDB-compatible stores.

use std::process::ExitCode;

fn main() -> ExitCode {
    growler::main()
}
