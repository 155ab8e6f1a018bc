use super::*;
use std::sync::atomic::{AtomicU8, Ordering};

fn byte(memory: &Memory, at: usize) -> &AtomicU8 {
    assert!(at < memory.bytes());
    // SAFETY: inside the mapping, which outlives the reference; every access of the tests is atomic.
    unsafe { AtomicU8::from_ptr(memory.as_ptr().add(at)) }
}

fn peer_of(memory: &Memory) -> OwnedFd {
    memory.fd().try_clone_to_owned().expect("a descriptor")
}

#[test]
fn both_ends_see_the_same_bytes() {
    let host = Memory::create("test", 10_000, PeerAccess::ReadWrite).expect("memory");
    let worker = Memory::open(peer_of(&host), 10_000, true).expect("open");
    assert_eq!(byte(&host, 9_999).load(Ordering::SeqCst), 0);
    byte(&host, 9_999).store(7, Ordering::SeqCst);
    assert_eq!(byte(&worker, 9_999).load(Ordering::SeqCst), 7);
    byte(&worker, 0).store(8, Ordering::SeqCst);
    assert_eq!(byte(&host, 0).load(Ordering::SeqCst), 8);
}

#[test]
fn a_read_only_peer_can_read_but_not_write_by_any_way() {
    let host = Memory::create("test", 8192, PeerAccess::ReadOnly).expect("memory");
    byte(&host, 5).store(3, Ordering::SeqCst);
    let worker = Memory::open(peer_of(&host), 8192, false).expect("open for reading");
    assert_eq!(byte(&worker, 5).load(Ordering::SeqCst), 3);

    assert!(Memory::open(peer_of(&host), 8192, true).is_err());
    assert!(rustix::io::write(host.fd(), b"x").is_err());
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert!(rustix::fs::fallocate(host.fd(), hole, 0, 4096).is_err());
    byte(&host, 5).store(4, Ordering::SeqCst);
    assert_eq!(byte(&worker, 5).load(Ordering::SeqCst), 4);
}

#[test]
fn a_peer_can_not_resize_or_unseal() {
    let host = Memory::create("test", 8192, PeerAccess::ReadWrite).expect("memory");
    assert!(rustix::fs::ftruncate(host.fd(), 4096).is_err());
    assert!(rustix::fs::ftruncate(host.fd(), 16_384).is_err());
    assert!(rustix::fs::fallocate(host.fd(), FallocateFlags::empty(), 0, 16_384).is_err());
    assert!(rustix::fs::fcntl_add_seals(host.fd(), SealFlags::WRITE).is_err());
}

#[test]
fn punched_memory_reads_as_zeros() {
    let host = Memory::create("test", 8192, PeerAccess::ReadWrite).expect("memory");
    byte(&host, 5000).store(9, Ordering::SeqCst);
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(host.fd(), hole, 0, 8192).expect("a hole");
    assert_eq!(byte(&host, 5000).load(Ordering::SeqCst), 0);
    byte(&host, 5000).store(1, Ordering::SeqCst);
    assert_eq!(byte(&host, 5000).load(Ordering::SeqCst), 1);
}

#[test]
fn wrong_sizes_are_refused() {
    let host = Memory::create("test", 8192, PeerAccess::ReadWrite).expect("memory");
    for bytes in [4096, 8191, 8193, 1 << 30] {
        let error = Memory::open(peer_of(&host), bytes, false).expect_err("another size");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
    assert!(Memory::create("test", 0, PeerAccess::ReadWrite).is_err());
    assert!(Memory::create("test", usize::MAX, PeerAccess::ReadWrite).is_err());
}

#[test]
fn memory_that_could_shrink_is_refused() {
    let fd = anonymous_file("test").expect("memfd");
    rustix::fs::ftruncate(&fd, 4096).expect("a size");
    let error = Memory::open(fd, 4096, false).expect_err("not sealed");
    assert_eq!(
        error.to_string(),
        "shared memory that is not sealed against shrinking"
    );
}

#[test]
fn it_is_never_inherited_by_a_new_program() {
    let host = Memory::create("test", 4096, PeerAccess::ReadWrite).expect("memory");
    let flags = rustix::io::fcntl_getfd(host.fd()).expect("flags");
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}
