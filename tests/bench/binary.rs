//! The product as a file, and what it takes to build it.

use std::path::Path;
use std::{env, fs};

use crate::place::{Place, product, run, told};
use crate::row::Row;
use crate::whole::Hello;

/// Measures the released binary; where `cargo xtask bench --clean-build` built a static one from
/// nothing, that one too.
pub fn measure() -> Result<Vec<Row>, String> {
    let mut rows = vec![size("the released binary", &product()?)?];
    let built =
        env::var_os("RUNWRIT_BENCH_STATIC").zip(env::var("RUNWRIT_BENCH_BUILD_SECONDS").ok());
    if let Some((binary, seconds)) = built {
        let binary = Path::new(&binary);
        let seconds: f64 = seconds.parse().map_err(told("RUNWRIT_BENCH_BUILD_SECONDS"))?;
        rows.push(size("the same, static", binary)?.of(&libraries(binary)?));
        let place = Place::on_disk()?;
        run(&mut Hello::new(&place, binary)?.command(&place))?;
        rows.push(Row::at_most("a release build from nothing", seconds / 60.0, " min", 10.0));
    }
    Ok(rows)
}

fn size(what: &'static str, binary: &Path) -> Result<Row, String> {
    let bytes = fs::metadata(binary).map_err(told("the binary"))?.len();
    Ok(Row::at_most(what, bytes as f64 / 1e6, " MB", 40.0))
}

/// Returns what the system says of the libraries that a static binary needs: none.
fn libraries(binary: &Path) -> Result<String, String> {
    let listed = Place::in_memory()?.command("ldd").arg(binary).output().map_err(told("ldd"))?;
    let said = [listed.stdout, listed.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    match said.contains("statically linked") || said.contains("not a dynamic executable") {
        true => Ok(said),
        false => Err(format!("the static binary needs libraries: {said}")),
    }
}
