//! Changes to a server: type, image, backups, rescue, protection, placement.

use serde_json::{Value, json};

use super::super::actions::Job;
use super::super::images::{Image, Source};
use super::super::placement_groups;
use super::super::primary_ips;
use super::super::project::{Kind, Project};
use super::super::refusal::Refusal;
use super::super::request::{Input, Reply};
use super::super::validation::{Field, Shape, optional, required};
use super::{Status, edit, find, find_unlocked, set_status, start};

const PASSWORD_LENGTH: usize = 20;
const BACKUP_SLOTS: usize = 7;

/// Body of `change_type`.
pub const CHANGE_TYPE: &[Field] =
    &[required("upgrade_disk", Shape::Flag), required("server_type", Shape::Reference)];
/// Body of `create_image`.
pub const CREATE_IMAGE: &[Field] = &[
    optional("description", Shape::Text(0, 1024)),
    optional("type", Shape::Choice(&["snapshot", "backup"])),
    optional("labels", Shape::Labels),
];
/// Body of `rebuild`.
pub const REBUILD: &[Field] =
    &[required("image", Shape::Reference), optional("user_data", Shape::Text(0, 32_768))];
/// Body of `change_protection`.
pub const PROTECTION: &[Field] =
    &[optional("delete", Shape::Flag), optional("rebuild", Shape::Flag)];
/// Body of `add_to_placement_group`.
pub const PLACE: &[Field] = &[required("placement_group", Shape::Id)];
/// Body of `enable_rescue`.
pub const RESCUE: &[Field] = &[
    optional("type", Shape::Choice(&["linux64"])),
    optional("ssh_keys", Shape::List(&Shape::Id, 100)),
];

fn check_off(status: Status) -> Result<(), Refusal> {
    if status == Status::Off {
        return Ok(());
    }
    Err(Refusal::unprocessable("server_not_stopped", "server must be powered off"))
}

/// Answers `change_type`.
pub fn change_type(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let refuse = |message: &str| Err(Refusal::unprocessable("invalid_server_type", message));
    let name = input.reference("server_type").unwrap_or_default();
    let Some(kind) = project.catalogue.server_type(&name) else {
        return Err(Refusal::invalid("server_type", format!("server type {name} not found")));
    };
    let (id, location) = (server.id, server.location);
    if kind.id == server.server_type.id {
        return refuse("server already has this type");
    }
    if kind.architecture != server.server_type.architecture || kind.disk < server.disk {
        return refuse("server type has another architecture or a smaller disk");
    }
    if !kind.is_offered_in(location.name) {
        return refuse("unsupported location for server type");
    }
    check_off(server.status)?;
    if !project.catalogue.is_in_stock(kind.name, location.name) {
        return Err(Refusal::unavailable("error during placement"));
    }
    let upgrades_disk = input.flag("upgrade_disk").unwrap_or(false);
    let starts = project.settings.starts_after_rescale;
    set_status(project, id, Status::Migrating);
    let job = Job::new("change_server_type")
        .holding(Kind::Server, id)
        .then(move |project| {
            edit(project, id, |server| {
                server.server_type = kind;
                server.disk = if upgrades_disk { kind.disk } else { server.disk };
                server.status = if starts { Status::Running } else { Status::Off };
            })
        })
        .or_else(move |project| set_status(project, id, Status::Off));
    start(project, job)
}

/// Answers `create_image`.
pub fn create_image(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?.clone();
    let is_backup = input.text("type") == Some("backup");
    if is_backup && server.backup_window.is_none() {
        return Err(Refusal::invalid("type", "backups are not enabled for the server"));
    }
    let count =
        |of_kind: bool| project.images.values().filter(|one| one.is_backup == of_kind).count();
    if is_backup {
        let held =
            project.images.values().filter(|one| one.is_backup && one.created_from.0 == server.id);
        if held.count() >= BACKUP_SLOTS {
            return Err(Refusal::limit("backup"));
        }
    } else {
        project.check_quota("snapshot", count(false), 1)?;
    }
    let image = Image {
        id: project.next_id(),
        is_backup,
        status: "creating",
        description: input.text("description").unwrap_or_default().to_owned(),
        size: None,
        disk: server.disk,
        created: project.now,
        created_from: (server.id, server.name.clone()),
        base: server.base,
        labels: input.labels().unwrap_or_default(),
        is_delete_protected: false,
    };
    let (id, document) = (image.id, image.document());
    project.created(Kind::Image, id, &image.description, &image.labels);
    project.images.insert(id, image);
    let action = project.begin(image_job(server.id, id));
    Ok(Reply::new(201, json!({"image": document, "action": project.action(action)})))
}

fn image_job(server: u64, image: u64) -> Job {
    let finish = move |project: &mut Project, status: &'static str| {
        if let Some(image) = project.images.get_mut(&image) {
            image.status = status;
            // A used root disk compresses to about a twentieth of its size.
            image.size = Some(image.disk.div_ceil(20));
        }
    };
    Job::new("create_image")
        .holding(Kind::Server, server)
        .holding(Kind::Image, image)
        .then(move |project| {
            finish(project, "available");
            Ok(())
        })
        .or_else(move |project| finish(project, "unavailable"))
}

/// Answers `rebuild`.
pub fn rebuild(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    if server.is_rebuild_protected {
        return Err(Refusal::protected("server rebuild is protected"));
    }
    let (id, kind, disk) = (server.id, server.server_type, server.disk);
    let reference = input.reference("image").unwrap_or_default();
    let source = Source::find(project, &reference, kind.architecture)?;
    if source.disk() > disk {
        return Err(Refusal::invalid("image", "image disk is bigger than the server's disk"));
    }
    let (image, base) = (source.id(), source.base());
    set_status(project, id, Status::Rebuilding);
    let job = Job::new("rebuild_server")
        .holding(Kind::Server, id)
        .on(Kind::Image, image)
        .then(move |project| {
            edit(project, id, |server| {
                (server.image, server.base) = (image, base);
                server.status = Status::Running;
            })
        })
        .or_else(move |project| set_status(project, id, Status::Off));
    let action = project.begin(job);
    let password = project.dice.word(PASSWORD_LENGTH);
    Ok(Reply::new(201, json!({"action": project.action(action), "root_password": password})))
}

/// Answers `enable_backup`.
pub fn enable_backup(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    set_backup(project, input, "enable_backup", Some("22-02"))
}

/// Answers `disable_backup`: the backups go at once.
pub fn disable_backup(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    set_backup(project, input, "disable_backup", None)
}

fn set_backup(
    project: &mut Project,
    input: &Input,
    command: &'static str,
    window: Option<&'static str>,
) -> Result<Reply, Refusal> {
    let id = find_unlocked(project, input)?.id;
    let job = Job::new(command).holding(Kind::Server, id).then(move |project| {
        if window.is_none() {
            let is_own = |one: &&Image| one.is_backup && one.created_from.0 == id;
            let backups: Vec<u64> =
                project.images.values().filter(is_own).map(|one| one.id).collect();
            for backup in backups {
                super::super::images::remove(project, backup);
            }
        }
        edit(project, id, |server| server.backup_window = window.map(str::to_owned))
    });
    start(project, job)
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let id = server.id;
    let forbids_delete = input.flag("delete").unwrap_or(server.is_delete_protected);
    let forbids_rebuild = input.flag("rebuild").unwrap_or(server.is_rebuild_protected);
    if forbids_delete != forbids_rebuild {
        // The provider couples the two flags for now, and says so.
        let message = "delete and rebuild protection must be the same";
        return Err(Refusal::invalid("rebuild", message));
    }
    let job = Job::new("change_protection").holding(Kind::Server, id).then(move |project| {
        edit(project, id, |server| {
            server.is_delete_protected = forbids_delete;
            server.is_rebuild_protected = forbids_rebuild;
        })
    });
    start(project, job)
}

/// Answers `add_to_placement_group`.
pub fn add_to_placement_group(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let (id, status) = (server.id, server.status);
    if server.placement_group.is_some() {
        let message = "server is already in a placement group";
        return Err(Refusal::unprocessable("already_in_placement_group", message));
    }
    check_off(status)?;
    let group = input.number("placement_group").unwrap_or_default();
    placement_groups::check_room(project, group)?;
    let job = Job::new("add_to_placement_group")
        .holding(Kind::Server, id)
        .on(Kind::PlacementGroup, group)
        .then(move |project| edit(project, id, |server| server.placement_group = Some(group)));
    start(project, job)
}

/// Answers `remove_from_placement_group`.
pub fn remove_from_placement_group(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let id = server.id;
    let Some(group) = server.placement_group else {
        let message = "server is not in a placement group";
        return Err(Refusal::unprocessable("unsupported_error", message));
    };
    let job = Job::new("remove_from_placement_group")
        .holding(Kind::Server, id)
        .on(Kind::PlacementGroup, group)
        .then(move |project| edit(project, id, |server| server.placement_group = None));
    start(project, job)
}

/// Answers `enable_rescue`.
pub fn enable_rescue(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find_unlocked(project, input)?.id;
    if let Some(key) = input.ids("ssh_keys").iter().find(|key| !project.ssh_keys.contains_key(key))
    {
        return Err(Refusal::not_found("SSH key", key));
    }
    let job = Job::new("enable_rescue")
        .holding(Kind::Server, id)
        .then(move |project| edit(project, id, |server| server.is_rescue_enabled = true));
    start_with_password(project, job)
}

/// Answers `disable_rescue`.
pub fn disable_rescue(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find_unlocked(project, input)?.id;
    let job = Job::new("disable_rescue")
        .holding(Kind::Server, id)
        .then(move |project| edit(project, id, |server| server.is_rescue_enabled = false));
    start(project, job)
}

/// Answers `reset_password`: needs a running server.
pub fn reset_password(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?;
    let id = server.id;
    if server.status != Status::Running {
        return Err(Refusal::unprocessable("unsupported_error", "server is not running"));
    }
    start_with_password(project, Job::new("reset_password").holding(Kind::Server, id))
}

fn start_with_password(project: &mut Project, job: Job) -> Result<Reply, Refusal> {
    let action = project.begin(job);
    let password: Value = project.dice.word(PASSWORD_LENGTH).into();
    Ok(Reply::new(201, json!({"action": project.action(action), "root_password": password})))
}

/// Answers `change_dns_ptr` for an address of the server.
pub fn change_dns_ptr(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    project.check_unlocked(Kind::Server, id)?;
    let held: Vec<u64> =
        project.primary_ips.values().filter(|ip| ip.server == Some(id)).map(|ip| ip.id).collect();
    let job = primary_ips::reverse_job(project, input, &held)?.holding(Kind::Server, id);
    start(project, job)
}
