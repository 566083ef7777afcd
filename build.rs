//! Compiles `proto/` without protoc: protox parses, prost and tonic generate.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 9] = [
    "offpeak/v1/admin.proto",
    "offpeak/v1/billing.proto",
    "offpeak/v1/capacity.proto",
    "offpeak/v1/job.proto",
    "offpeak/v1/node.proto",
    "offpeak/v1/owner.proto",
    "offpeak/v1/resources.proto",
    "offpeak/v1/tenant.proto",
    "offpeak/v1/watch.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("offpeak.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().btree_map(".").compile_fds(descriptors)?;
    Ok(())
}
