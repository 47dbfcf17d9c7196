//! Benchmarks of the harness's own cost; see `benches/`. Outside the default members of the workspace, since
//! nobody needs criterion to run or test growler.
