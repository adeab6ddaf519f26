//! The root the payload sees: a fresh tmpfs with the system's programs, the tool chains, `/job` and `/tmp`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, chown, open};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, move_mount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::During;
use super::files::Laid;
use super::ids::{Ids, PAYLOAD};
use super::lower::{self, Lower};
use super::sys;
use crate::fault::{Fault, trip};
use crate::launch::{Failure, LaunchSpec};
use crate::shown::PLACE;

/// Where the new root is put together. It hides what lies there on the host, so every source is opened first.
const BASE: &str = "/tmp";
/// Programs and libraries. Links stay links, directories are shown read-only.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];
/// The parts of `/etc` that programs under `/usr` are incomplete without; none holds secrets.
const SYSTEM_ETC: &[&str] = &["/etc/alternatives", "/etc/ssl/certs"];
/// The same, for run times that distributions split between `/usr` and a folder named after the version.
const SYSTEM_ETC_PREFIXES: &[&str] = &["java-", "perl", "python"];
const ETC: &str = "/etc";
const LINKER_CACHE: &str = "/etc/ld.so.cache";
/// Places that a tool chain may not replace.
const RESERVED: &[&str] = &["/etc", "/proc", "/dev", "/sys", "/job"];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// The root holds mount points and a few lines of text.
const ROOT_OPTIONS: &std::ffi::CStr = c"size=2m,nr_inodes=2048,mode=755";
const SHM_OPTIONS: &std::ffi::CStr = c"size=64m,nr_inodes=1024,mode=1777";
/// Files that fit in the scratch space: as many as have a page each, and some for empty ones. Empty files
/// cost kernel memory that no size counts.
const BYTES_PER_INODE: u64 = 4096;
const SPARE_INODES: u64 = 16_384;
const INERT: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Trees opened while the old user could still reach them.
pub(super) struct Sources {
    trees: Vec<Tree>,
    links: Vec<(PathBuf, PathBuf)>,
    linker_cache: Option<OwnedFd>,
    job: OwnedFd,
}

struct Tree {
    folder: OwnedFd,
    at: PathBuf,
    masked: Vec<String>,
}

impl Sources {
    pub(super) fn open(spec: &LaunchSpec) -> Result<Self, Failure> {
        let job = folder(&spec.root).during_job("opening the tree")?;
        let mut sources = Self { trees: Vec::new(), links: Vec::new(), linker_cache: None, job };
        let fixed = SYSTEM.iter().chain(SYSTEM_ETC).map(PathBuf::from);
        for path in fixed.chain(run_time_settings()) {
            let path = path.as_path();
            match fs::symlink_metadata(path) {
                Ok(found) if found.is_symlink() => {
                    let target = fs::read_link(path).during(format!("reading {}", path.display()))?;
                    sources.links.push((target, path.to_owned()));
                }
                Ok(found) if found.is_dir() => sources.add(path, &[])?,
                _ => {}
            }
        }
        for path in &spec.tool_chains {
            let refused =
                RESERVED.iter().any(|taken| path.starts_with(taken) || Path::new(taken).starts_with(path));
            if refused || !path.is_absolute() {
                return Err("this place is taken").during(format!("showing {}", path.display()));
            }
            if !sources.trees.iter().any(|tree| path.starts_with(&tree.at)) {
                sources.add(path, &spec.masked)?;
            }
        }
        for tree in &spec.shown {
            let folder = folder(&tree.from).during_job(format!("opening {}", tree.from.display()))?;
            sources.trees.push(Tree { folder, at: tree.at.clone(), masked: Vec::new() });
            let links = tree.links.iter().map(|(name, target)| (target.clone(), name.clone()));
            sources.links.extend(links);
        }
        sources.linker_cache = open(LINKER_CACHE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        Ok(sources)
    }

    fn add(&mut self, path: &Path, masked: &[String]) -> Result<(), Failure> {
        let folder = folder(path).during(format!("opening {}", path.display()))?;
        self.trees.push(Tree { folder, at: path.to_owned(), masked: masked.to_vec() });
        Ok(())
    }
}

fn run_time_settings() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/etc") else { return Vec::new() };
    let wanted = |name: &str| SYSTEM_ETC_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let names = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(wanted));
    names.map(|entry| entry.path()).collect()
}

fn folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// What came out, where more than one thing could.
#[derive(Debug, Clone, Copy)]
pub(super) struct Built {
    pub(super) overlay: bool,
    pub(super) lock_isolation: bool,
    pub(super) proc_mounted: bool,
}

/// Builds the root and enters it. Returns the files still to be laid into `/job`.
pub(super) fn build(
    spec: &LaunchSpec,
    sources: &Sources,
    lower: Lower,
    files: Vec<Laid>,
    ids: &Ids,
    mounts: &str,
) -> Result<(Built, Vec<Laid>), Failure> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).during("detaching from the host's mounts")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let tmpfs = || Ok(mount("tmpfs", BASE, "tmpfs", INERT, ROOT_OPTIONS)?);
    trip(&spec.faults, Fault::Mount).and_then(|()| tmpfs()).during("mounting a tmpfs")?;
    furnish(sources).during("laying out the root")?;
    scratch(spec, ids).during("mounting the scratch space")?;
    let overlays = trip(&spec.faults, Fault::Overlay).is_ok();
    let (overlay, files) = job(lower, &sources.job, files, overlays).during("mounting the tree")??;
    let (etc, trees): (Vec<&Tree>, Vec<&Tree>) =
        sources.trees.iter().partition(|tree| tree.at.starts_with(ETC));
    let together = overlays && share_etc(&etc, mounts).is_ok();
    let mut lock_isolation = true;
    for tree in trees.into_iter().chain(etc.into_iter().filter(|_| !together)) {
        let shown = show(tree, overlays, mounts).during(format!("mounting {}", tree.at.display()))?;
        lock_isolation &= shown;
    }
    small_mounts(sources).during("mounting devices")?;
    let options = c"subset=pid,hidepid=invisible";
    let proc_mounted = trip(&spec.faults, Fault::Proc).is_ok()
        // A kernel without it would show every process that shares its names.
        && trip(&spec.faults, Fault::ProcSubset).is_ok()
        && mount("proc", at("/proc"), "proc", INERT | MountFlags::NOEXEC, options).is_ok();
    enter().during("entering the root")?;
    Ok((Built { overlay, lock_isolation, proc_mounted }, files))
}

fn at(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    Path::new(BASE).join(path.strip_prefix("/").unwrap_or(path))
}

fn through(fd: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

/// Creates everything on the fresh tmpfs before anything foreign is mounted: nothing is ever created below a
/// mount that somebody else could have prepared.
fn furnish(sources: &Sources) -> io::Result<()> {
    for folder in ["/.empty", "/.etc", "/.lower", "/.scratch", "/dev/shm", "/etc", "/job", "/proc", "/tmp"] {
        fs::create_dir_all(at(folder))?;
    }
    fs::write(at("/.blank"), "")?;
    fs::set_permissions(at("/.blank"), fs::Permissions::from_mode(0o444))?;
    for device in DEVICES {
        fs::write(at(format!("/dev/{device}")), "")?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, at(format!("/dev/{name}")))?;
    }
    for (target, link) in &sources.links {
        if let Some(parent) = link.parent() {
            fs::create_dir_all(at(parent))?;
        }
        symlink(target, at(link))?;
    }
    fs::write(at(LINKER_CACHE), "")?;
    let passwd = format!(
        "root:x:0:0:root:/:/usr/sbin/nologin\n\
         edgecoder:x:{PAYLOAD}:{PAYLOAD}::/tmp:/bin/sh\n\
         nobody:x:65534:65534::/:/usr/sbin/nologin\n"
    );
    fs::write(at("/etc/passwd"), passwd)?;
    fs::write(at("/etc/group"), format!("root:x:0:\nedgecoder:x:{PAYLOAD}:\nnogroup:x:65534:\n"))?;
    fs::write(at("/etc/hosts"), "127.0.0.1 localhost box\n::1 localhost\n")?;
    fs::write(at("/etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n")
}

/// One tmpfs bounds all that the payload can write to `/job` and `/tmp`, and in a workshop to the place of shown trees.
fn scratch(spec: &LaunchSpec, ids: &Ids) -> io::Result<()> {
    let bytes = spec.limits.disk_bytes;
    let inodes = SPARE_INODES.saturating_add(bytes / BYTES_PER_INODE);
    let options = std::ffi::CString::new(format!("size={bytes},nr_inodes={inodes},mode=755"))?;
    mount("tmpfs", at("/.scratch"), "tmpfs", INERT, options.as_c_str())?;
    let mut folders = vec![("upper", 0o755), ("work", 0o755), ("tmp", 0o1777)];
    if spec.workshop {
        folders.push(("made", 0o755));
    }
    for (name, mode) in folders {
        let folder = at("/.scratch").join(name);
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        if ids.root_inside {
            chown(&folder, Some(Uid::from_raw(PAYLOAD)), Some(Gid::from_raw(PAYLOAD)))?;
        }
    }
    mount_bind(at("/.scratch/tmp"), at("/tmp"))?;
    if spec.workshop {
        fs::create_dir(at(PLACE))?;
        mount_bind(at("/.scratch/made"), at(PLACE))?;
    }
    Ok(())
}

/// `/job`: the tree under a writable layer, or an empty folder and all the tree's files to be written.
fn job(
    lower: Lower,
    folder: &OwnedFd,
    files: Vec<Laid>,
    overlays: bool,
) -> io::Result<Result<(bool, Vec<Laid>), Failure>> {
    let mounted = matches!(lower, Lower::Mount(_));
    let place = match &lower {
        Lower::Copy(_) => None,
        Lower::Folder => Some(through(folder)),
        Lower::Mount(tree) => {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(tree, "", CWD, at("/.lower"), flags)?;
            Some(at("/.lower"))
        }
    };
    if let Some(place) = &place
        && overlays
        && layered(place).is_ok()
    {
        leave_scaffold(mounted)?;
        return Ok(Ok((true, files)));
    }
    let mut all = match (lower, place) {
        (Lower::Copy(tree), _) => tree,
        (Lower::Folder | Lower::Mount(_), place) => match lower::copied(&place.unwrap_or_default()) {
            Ok(Lower::Copy(tree)) => tree,
            Ok(_) => Vec::new(),
            Err(failure) => return Ok(Err(failure)),
        },
    };
    mount_bind(at("/.scratch/upper"), at("/job"))?;
    leave_scaffold(mounted)?;
    all.extend(files);
    Ok(Ok((false, all)))
}

fn layered(lower: &Path) -> io::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={BASE}/.scratch/upper,workdir={BASE}/.scratch/work,userxattr",
        lower.display()
    );
    mount("overlay", at("/job"), "overlay", INERT, std::ffi::CString::new(options)?.as_c_str())?;
    Ok(())
}

/// Takes the lower tree and the raw layers out of sight; the mounts made of them live on.
fn leave_scaffold(with_lower: bool) -> io::Result<()> {
    if with_lower {
        unmount(at("/.lower"), UnmountFlags::DETACH)?;
    }
    unmount(at("/.scratch"), UnmountFlags::DETACH)?;
    fs::remove_dir(at("/.lower"))?;
    fs::remove_dir(at("/.scratch"))
}

/// Shows one tree read-only. Says whether locks on its files are private: they are on an overlay of our own,
/// on a plain bind every run would share them, and so have a channel.
fn show(tree: &Tree, overlays: bool, mounts: &str) -> io::Result<bool> {
    let target = at(&tree.at);
    fs::create_dir_all(&target)?;
    let options = format!("lowerdir={}:{BASE}/.empty", through(&tree.folder).display());
    let options = std::ffi::CString::new(options)?;
    let flags = INERT | MountFlags::RDONLY;
    let whole = overlays && !has_mounts_below(&tree.at, mounts);
    let overlay = whole && mount("overlay", &target, "overlay", flags, options.as_c_str()).is_ok();
    if !overlay {
        mount_bind_recursive(through(&tree.folder), &target)?;
        let name = std::ffi::CString::new(target.as_os_str().as_encoded_bytes())?;
        sys::read_only_recursive(CWD, &name)?;
    }
    for name in &tree.masked {
        let hidden = target.join(name);
        let Ok(found) = fs::symlink_metadata(&hidden) else { continue };
        if found.is_symlink() {
            continue;
        }
        let blank = at(if found.is_dir() { "/.empty" } else { "/.blank" });
        mount_bind(&blank, &hidden)?;
        mount_remount(&hidden, MountFlags::BIND | flags, "")?;
    }
    Ok(overlay)
}

/// Shows the few folders of `/etc` by one overlay, out of which each is bound: an overlay of its own for every one
/// would cost a start more than all their files are worth. The overlay itself is nowhere when this is done.
fn share_etc(trees: &[&Tree], mounts: &str) -> io::Result<()> {
    if trees.is_empty() {
        return Ok(());
    }
    if trees.iter().any(|tree| has_mounts_below(&tree.at, mounts) || !tree.masked.is_empty()) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let options = std::ffi::CString::new(format!("lowerdir={ETC}:{BASE}/.empty"))?;
    let whole = at("/.etc");
    mount("overlay", &whole, "overlay", INERT | MountFlags::RDONLY, options.as_c_str())?;
    let bound = trees.iter().try_for_each(|tree| {
        let inside = tree.at.strip_prefix(ETC).map_err(io::Error::other)?;
        fs::create_dir_all(at(&tree.at))?;
        // The bind is as read-only and inert as what it is taken from.
        Ok(mount_bind(whole.join(inside), at(&tree.at))?)
    });
    unmount(&whole, UnmountFlags::DETACH)?;
    fs::remove_dir(&whole)?;
    bound
}

/// An overlay shows only one file system; trees that span several are bound with all their mounts. `mounts` is a
/// mountinfo.
fn has_mounts_below(path: &Path, mounts: &str) -> bool {
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    points.any(|point| point != path && point.starts_with(path))
}

fn small_mounts(sources: &Sources) -> io::Result<()> {
    for device in DEVICES {
        let target = at(format!("/dev/{device}"));
        mount_bind(Path::new("/dev").join(device), &target)?;
        mount_remount(&target, MountFlags::BIND | MountFlags::NOSUID | MountFlags::NOEXEC, "")?;
    }
    mount("tmpfs", at("/dev/shm"), "tmpfs", INERT | MountFlags::NOEXEC, SHM_OPTIONS)?;
    if let Some(cache) = &sources.linker_cache {
        mount_bind(through(cache), at(LINKER_CACHE))?;
        mount_remount(at(LINKER_CACHE), MountFlags::BIND | MountFlags::RDONLY | INERT, "")?;
    }
    Ok(())
}

/// Makes the new root the only one there is, and read-only.
fn enter() -> io::Result<()> {
    chdir(BASE)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY | INERT, "")?;
    Ok(())
}
