//! The smallest runbook: an input, a step, a log message and an output.

use runwrit_sdk::{Result, info, inputs, outputs, step, verified};

runwrit_sdk::main!(run);

fn run() -> Result {
    step("greet")?;
    let name = inputs::text("name")?;
    let greeting = format!("hello, {name}");
    info(&greeting);
    outputs::set("greeting", &greeting)?;
    verified("the greeting names its guest")?;
    Ok(())
}
