//! What growler does to the system under test: workloads, their generators, and the DynamoDB client.

pub mod dynamodb;
pub mod workload;
