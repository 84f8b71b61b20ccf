//! Power: on, off, shutdown, reboot, reset.

use super::super::actions::{Failure, Job};
use super::super::project::{Kind, Project};
use super::super::refusal::Refusal;
use super::super::request::{Input, Reply};
use super::{Status, edit, find_unlocked, is_public, set_status, start};

/// Describes the start of a server; one without any interface cannot start.
pub(super) fn start_job(id: u64) -> Job {
    Job::new("start_server")
        .holding(Kind::Server, id)
        .then(move |project| {
            let has_private = project.servers.get(&id).is_some_and(|one| !one.nics.is_empty());
            if !has_private && !is_public(project, id) {
                return Err(Failure::new("action_failed", "server has no network interface"));
            }
            edit(project, id, |server| server.status = Status::Running)
        })
        .or_else(move |project| set_status(project, id, Status::Off))
}

/// Answers `poweron`.
pub fn power_on(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let (id, status) = (server.id, server.status);
    if server.nics.is_empty() && !is_public(project, id) {
        let message = "server needs at least one network interface";
        return Err(Refusal::unprocessable("unsupported_error", message));
    }
    if status == Status::Off {
        set_status(project, id, Status::Starting);
    }
    start(project, start_job(id))
}

/// Answers `poweroff`: pulls the plug.
pub fn power_off(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find_unlocked(project, input)?.id;
    start(project, stop_job("stop_server", id))
}

/// Answers `shutdown`: its success says that the signal was sent, and the simulated system obeys.
pub fn shutdown(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find_unlocked(project, input)?.id;
    start(project, stop_job("shutdown_server", id))
}

fn stop_job(command: &'static str, id: u64) -> Job {
    Job::new(command)
        .holding(Kind::Server, id)
        .then(move |project| edit(project, id, |server| server.status = Status::Off))
}

/// Answers `reboot`.
pub fn reboot(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    restart(project, input, "reboot_server")
}

/// Answers `reset`.
pub fn reset(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    restart(project, input, "reset_server")
}

fn restart(project: &mut Project, input: &Input, command: &'static str) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let id = server.id;
    if server.status != Status::Running {
        return Err(Refusal::unprocessable("unsupported_error", "server is not running"));
    }
    let job = Job::new(command)
        .holding(Kind::Server, id)
        .then(move |project| edit(project, id, |server| server.is_rescue_enabled = false));
    start(project, job)
}
