//! The few system calls that have no safe wrapper. The launcher is single-threaded throughout, which is what
//! makes cloning and continuing to allocate sound.

use std::ffi::CStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::Pid;

/// Every namespace but the cgroup one, which must wait until the cgroup is joined: otherwise
/// `/proc/self/cgroup` shows the host's path.
pub(super) const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// The two sides of a clone.
pub(super) enum Cloned {
    /// In the new process.
    Child,
    /// In the caller.
    Parent(Pid, OwnedFd),
}

/// Like `fork`, into the namespaces of `flags`, with a pidfd for the caller.
#[expect(unsafe_code, reason = "no safe wrapper of clone3 exists")]
pub(super) fn clone(flags: i32) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is the documented default of every field.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from((flags | libc::CLONE_PIDFD).cast_unsigned());
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    // SAFETY: `args` is valid for its size; without CLONE_VM and a stack this is fork, and the process has
    // one thread, so the child may go on like the parent.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match i32::try_from(pid).ok().filter(|&pid| pid >= 0) {
        None => Err(io::Error::last_os_error()),
        Some(0) => Ok(Cloned::Child),
        Some(pid) => {
            // SAFETY: the kernel has just opened it for us alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent(Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?, pidfd))
        }
    }
}

/// What the processes used that were waited for, by this one or by one it waited for.
pub(crate) struct Reaped {
    /// Processor time of all of them.
    pub(crate) cpu_ms: u64,
    /// Memory of the largest.
    pub(crate) largest_bytes: u64,
}

#[expect(unsafe_code, reason = "no safe wrapper of getrusage exists")]
pub(crate) fn reaped() -> Reaped {
    // SAFETY: all-zero is a valid value of plain numbers, and the kernel fills it in.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut used);
        used
    };
    let ms =
        |time: libc::timeval| u64::try_from(time.tv_sec * 1000 + time.tv_usec / 1000).unwrap_or_default();
    Reaped {
        cpu_ms: ms(used.ru_utime) + ms(used.ru_stime),
        largest_bytes: u64::try_from(used.ru_maxrss).unwrap_or_default() * 1024,
    }
}

/// Bytes of a page, asked of libc: before Linux 6.4 rustix reads them from a file of this process below `/proc`, which one
/// that cannot be traced is refused.
#[expect(unsafe_code, reason = "no safe wrapper of sysconf exists")]
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: it takes a number and gives one.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Marks every descriptor but the first three as closed on exec, or closes them now.
#[expect(unsafe_code, reason = "no safe wrapper of close_range exists")]
pub(crate) fn close_others(on_exec: bool) -> io::Result<()> {
    let flags = if on_exec { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
    // SAFETY: called either before any descriptor is owned, or without closing anything.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// All signals as a fresh process has them; the Rust runtime ignores SIGPIPE, which children would inherit.
#[expect(unsafe_code, reason = "dispositions have no safe wrapper")]
pub(crate) fn default_signals() {
    // Past libc, which will not touch the two signals that it keeps for itself but leaves ignored on spawn.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: all-zero is the default disposition and installs no code; the buffer is at least as large
        // as the kernel's structure; refusals (SIGKILL, SIGSTOP) are harmless.
        unsafe {
            let none = std::ptr::null_mut::<libc::c_void>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, size_of::<u64>());
        }
    }
    // SAFETY: an initialised empty set is installed as the mask.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Writing to somebody who is gone is an error, not the end.
#[expect(unsafe_code, reason = "dispositions have no safe wrapper")]
pub(super) fn ignore_broken_pipes() {
    // SAFETY: no code is installed, and no other thread exists.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// A process that only keeps a user namespace alive. It shares our memory, so making it copies nothing; it dies with
/// us, or when told.
pub(super) fn hold_user_namespace() -> io::Result<Pid> {
    let ours = usize::try_from(rustix::process::getpid().as_raw_nonzero().get()).unwrap_or_default();
    // Never freed: whoever holds the namespace stands on it until the end, which comes soon.
    let stack: &'static mut [u8] = Box::leak(vec![0; HOLDER_STACK_BYTES].into_boxed_slice());
    let flags = libc::CLONE_VM | libc::CLONE_NEWUSER | libc::SIGCHLD;
    #[expect(unsafe_code, reason = "no safe wrapper of a clone that shares memory exists")]
    // SAFETY: the child runs only `hold`, on a stack of its own whose end is aligned down by libc, and touches nothing
    // of ours; it ends without unwinding or running destructors.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(HOLDER_STACK_BYTES);
        libc::clone(hold, top.cast(), flags, std::ptr::without_provenance_mut(ours))
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Room for the frames of three calls.
const HOLDER_STACK_BYTES: usize = 16 * 1024;

/// Waits for its end.
#[expect(unsafe_code, reason = "called on a bare stack, where only plain calls may be made")]
extern "C" fn hold(parent: *mut libc::c_void) -> libc::c_int {
    // SAFETY: system calls without pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if usize::try_from(libc::getppid()) == Ok(parent.addr()) {
            libc::pause();
        }
        libc::_exit(0)
    }
}

/// Hands `descriptor` to whoever holds the other end of `socket`.
pub(super) fn send_descriptor(socket: &UnixStream, descriptor: impl AsFd) -> io::Result<()> {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    along.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(b"j")], &mut along, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The descriptor that was handed over; an error when the other end closed without.
pub(super) fn receive_descriptor(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut along, flags)?;
    let mut received = along.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        RecvAncillaryMessage::ScmCredentials(_) | _ => None,
    });
    received
        .next()
        .and_then(|mut descriptors| descriptors.next())
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A cgroup namespace of our own, so that the payload does not see the host's path.
#[expect(unsafe_code, reason = "rustix marks unshare unsafe for the sake of CLONE_FILES")]
pub(super) fn unshare_cgroup() -> io::Result<()> {
    // SAFETY: no descriptor table is unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWCGROUP) }?)
}

/// Brings the loopback interface up: tests talk to servers they start.
#[expect(unsafe_code, reason = "interface ioctls have no safe wrapper")]
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: a plain socket; the descriptor is ours alone.
    let socket = unsafe {
        let raw = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    // SAFETY: all-zero is a valid request; name and flags are filled in.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = libc::c_char::try_from(b'l').unwrap_or_default();
    request.ifr_name[1] = libc::c_char::try_from(b'o').unwrap_or_default();
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or_default();
    // SAFETY: the kernel reads one `ifreq`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a detached mount read-only and shows its files under the ids of the user namespace `ids`.
pub(super) fn idmap(mount: impl AsFd, ids: impl AsFd) -> io::Result<()> {
    let flags = libc::MOUNT_ATTR_IDMAP | libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
    let ids = u64::try_from(ids.as_fd().as_raw_fd()).unwrap_or_default();
    set_attributes(mount, c"", libc::AT_EMPTY_PATH, flags | libc::MOUNT_ATTR_NODEV, ids)
}

/// Makes a mount and all below it read-only.
pub(super) fn read_only_recursive(at: impl AsFd, path: &CStr) -> io::Result<()> {
    let flags = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    set_attributes(at, path, libc::AT_RECURSIVE, flags, 0)
}

#[expect(unsafe_code, reason = "no safe wrapper of mount_setattr exists")]
fn set_attributes(at: impl AsFd, path: &CStr, how: i32, flags: u64, ids: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: flags, attr_clr: 0, propagation: 0, userns_fd: ids };
    // SAFETY: the descriptor, the string and the structure outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_fd().as_raw_fd(),
            path.as_ptr(),
            how,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The Landlock ABI of the running kernel, 0 or less without it. Asked of the kernel itself: the file that
/// lists security modules is often not mounted.
#[expect(unsafe_code, reason = "the landlock crate keeps its own query private")]
pub(crate) fn landlock_abi() -> i32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no structure.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION)
    };
    i32::try_from(abi).unwrap_or(0)
}
