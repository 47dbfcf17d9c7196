//! The `growler` command: consistency and chaos tests for DynamoDB-compatible stores.

use std::process::ExitCode;

/// A history of a million operations is tens of millions of small pieces: reading and checking one takes a sixth less
/// time than with the system's allocator. The benchmarks use the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    growler::main()
}
