// The protos are compiled by protox: no protoc is needed.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = std::env::var("ECHO_PROTO")?;
    println!("cargo:rerun-if-env-changed=ECHO_PROTO");
    println!("cargo:rerun-if-changed={proto}");
    let descriptors = protox::compile(["evenkeel/echo/v1/echo.proto"], [proto])?;
    tonic_prost_build::configure().build_client(false).compile_fds(descriptors)?;
    Ok(())
}
