//! The live picture: what lasts scrolls by above one line that moves.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the line moves; fast enough to look alive, slow enough for a serial console.
const TICK: Duration = Duration::from_millis(120);
/// How often a terminal is drawn at most.
const DRAWS_PER_SECOND: u8 = 10;

/// One moving line on standard error. It vanishes with this value.
pub struct Live {
    bar: ProgressBar,
}

impl Live {
    /// Begins to move.
    pub fn new() -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}")
            .expect("the template is a constant that a test draws");
        bar.set_style(style);
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// Prints a line that stays.
    pub fn print(&self, line: &str) {
        self.bar.println(line);
    }

    /// Replaces the moving line.
    pub fn now(&self, line: &str) {
        self.bar.set_message(line.trim().to_owned());
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        Live::new().now("step");
    }
}
