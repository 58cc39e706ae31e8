/* Stands between a command and the C library, and ends or fails one call that changes the disk: the n-th below a folder.
 *
 * Built and loaded by tests/it/crash/ (`cc -shared -fPIC`, LD_PRELOAD). Told by the environment:
 *
 *   RELEDGER_CRASH_ROOT   only calls on what lies below this folder count (an absolute path without links)
 *   RELEDGER_CRASH_TRACE  a file that gets a record of each counted call; the model of a power cut is drawn from it
 *   RELEDGER_CRASH_AT     the number of the call, from 1; 0 or nothing only counts
 *   RELEDGER_CRASH_MODE   kill    SIGKILL before the call
 *                         after   SIGKILL after it
 *                         torn    half of the bytes of a write, then SIGKILL; as `kill` for what is no write
 *                         enospc  the call fails with ENOSPC, once
 *                         full    the disk is full from here on: of a write half is taken, and whatever would need room fails;
 *                                 to flush, to remove and to rename needs none
 *                         eio     the call fails with EIO, once
 *   RELEDGER_CRASH_CALLS  `files` (default), or `sockets`: writes to sockets are counted, and nothing is traced
 *   RELEDGER_CRASH_NO_EXCHANGE  there is no exchange of two names: the call fails with EINVAL and is not counted
 *
 * A record is one line, `CALL RESULT INODE OFFSET LENGTH PATH PATH`, with `-` for no path; a write's bytes follow it. RESULT is
 * what the call gave back, or minus its errno. Paths here have neither spaces nor line feeds. A call that is counted and that
 * the model can't repeat gets its record all the same, and the model refuses it by name: nothing passes unseen. What would pass
 * by the C library (a shared mapping that can be written) ends the process loudly.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { COUNT, KILL, AFTER, TORN, ENOSPC_ONCE, FULL, EIO_ONCE };
enum sort { OPENS, WRITES, NEEDS_ROOM, FREES };

static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static long at;
static enum mode mode;
static int sockets;
static long count;
static int is_full;
static int no_exchange;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *text) { syscall(SYS_write, 2, text, strlen(text)); }

__attribute__((noreturn)) static void loudly(const char *text) {
    say("crash shim: ");
    say(text);
    say("\n");
    _exit(99);
}

__attribute__((noreturn)) static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("RELEDGER_CRASH_ROOT"), *file = getenv("RELEDGER_CRASH_TRACE");
    const char *number = getenv("RELEDGER_CRASH_AT"), *name = getenv("RELEDGER_CRASH_MODE");
    const char *calls = getenv("RELEDGER_CRASH_CALLS");
    if (folder && strlen(folder) < sizeof root) strcpy(root, folder);
    root_length = strlen(root);
    at = number ? atol(number) : 0;
    no_exchange = getenv("RELEDGER_CRASH_NO_EXCHANGE") != NULL;
    sockets = calls && !strcmp(calls, "sockets");
    static const char *names[] = {"count", "kill", "after", "torn", "enospc", "full", "eio"};
    if (name) {
        size_t which = 0, all = sizeof names / sizeof *names;
        while (which < all && strcmp(name, names[which])) which++;
        if (which == all) loudly("no such mode");
        mode = (enum mode)which;
    }
    if (file) {
        int opened = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (opened < 0) loudly("the trace can't be opened");
        /* Out of the way: descriptors of the command keep their numbers. */
        trace = (int)syscall(SYS_fcntl, opened, F_DUPFD_CLOEXEC, 900);
        if (trace < 0) trace = opened; else syscall(SYS_close, opened);
    }
}

static void put(const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        long written = syscall(SYS_write, trace, next, length);
        if (written <= 0) loudly("the trace can't be written");
        next += written;
        length -= (size_t)written;
    }
}

/* One call that is being made. */
struct call {
    const char *name;
    enum sort sort;
    char path[PATH_MAX], other[PATH_MAX];
    uint64_t inode;
    long long offset, length;
    /* What this call does: 0 goes on, otherwise its errno. */
    int fails;
    int dies_after;
    /* Bytes of a write that are let through; -1 for all. */
    long long only;
};

static int below(const char *path) {
    return root_length > 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

/* True for a file that no folder names: whatever is written into it, nothing below the root changes. */
static int nameless(const char *path) {
    const char *end = " (deleted)";
    size_t length = strlen(path);
    return length > strlen(end) && !strcmp(path + length - strlen(end), end);
}

/* The absolute path of a name, as text: what the last part links to is not looked at. */
static int path_at(int dirfd, const char *name, char *path) {
    if (name[0] == '/') return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    char folder[PATH_MAX];
    if (dirfd == AT_FDCWD) {
        if (syscall(SYS_getcwd, folder, sizeof folder) < 0) return 0;
    } else if (!path_of(dirfd, folder)) {
        return 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_ino : 0;
}

/* Holds the lock from here to `ended`. */
static void begins(struct call *call, const char *name, enum sort sort, long long length) {
    call->name = name;
    call->sort = sort;
    call->length = length;
    call->only = -1;
    count++;
    int is_it = at > 0 && count == at;
    int needs_room = sort != FREES;
    if (is_full && needs_room) call->fails = ENOSPC;
    if (!is_it) return;
    switch (mode) {
    case COUNT: break;
    case KILL: die();
    case AFTER: call->dies_after = 1; break;
    case TORN:
        if (sort != WRITES) die();
        call->only = length / 2;
        call->dies_after = 1;
        break;
    case ENOSPC_ONCE: call->fails = ENOSPC; break;
    case EIO_ONCE: call->fails = EIO; break;
    case FULL:
        is_full = 1;
        if (sort == WRITES && length > 1) call->only = length / 2;
        else if (needs_room) call->fails = ENOSPC;
        break;
    }
}

static void ended(struct call *call, long result, const void *bytes) {
    if (trace >= 0 && !sockets) {
        char line[2 * PATH_MAX + 128];
        int length = snprintf(line, sizeof line, "%s %ld %llu %lld %lld %s %s\n", call->name, result < 0 ? -(long)errno : result,
            (unsigned long long)call->inode, call->offset, call->length, call->path[0] ? call->path : "-",
            call->other[0] ? call->other : "-");
        int kept = errno;
        put(line, (size_t)length);
        if (bytes && result > 0) put(bytes, (size_t)result);
        errno = kept;
    }
    if (call->dies_after) die();
}

#define LOCKED(body) do { pthread_mutex_lock(&one); body; pthread_mutex_unlock(&one); } while (0)

static long refused(const struct call *call) {
    errno = call->fails;
    return -1;
}

/* ---- names ---- */

static int opens(int dirfd, const char *name, int flags, mode_t rights) {
    struct call call = {0};
    if (sockets || !(flags & (O_CREAT | O_TRUNC)) || !path_at(dirfd, name, call.path) || !below(call.path))
        return (int)syscall(SYS_openat, dirfd, name, flags, rights);
    long result;
    LOCKED({
        struct stat found;
        int was = fstatat(dirfd, name, &found, 0) == 0;
        begins(&call, was ? (flags & O_TRUNC ? "cut" : "open") : "create", OPENS, 0);
        result = call.fails ? refused(&call) : syscall(SYS_openat, dirfd, name, flags, rights);
        if (result >= 0) call.inode = inode_of((int)result);
        ended(&call, result, NULL);
    });
    return (int)result;
}

#define RIGHTS mode_t rights = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list all; va_start(all, flags); rights = va_arg(all, mode_t); va_end(all); }
int open(const char *name, int flags, ...) { RIGHTS return opens(AT_FDCWD, name, flags, rights); }
int open64(const char *name, int flags, ...) { RIGHTS return opens(AT_FDCWD, name, flags, rights); }
int openat(int dirfd, const char *name, int flags, ...) { RIGHTS return opens(dirfd, name, flags, rights); }
int openat64(int dirfd, const char *name, int flags, ...) { RIGHTS return opens(dirfd, name, flags, rights); }
int creat(const char *name, mode_t rights) { return opens(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, rights); }
int creat64(const char *name, mode_t rights) { return opens(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, rights); }

static int renames(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    struct call call = {0};
    if (no_exchange && flags & RENAME_EXCHANGE) {
        errno = EINVAL;
        return -1;
    }
    if (sockets || !path_at(from_dir, from, call.path) || !path_at(to_dir, to, call.other) || !(below(call.path) || below(call.other)))
        return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    long result;
    LOCKED({
        begins(&call, flags == RENAME_EXCHANGE ? "exchange" : flags == 0 ? "rename" : "rename-otherwise", FREES, 0);
        result = call.fails ? refused(&call) : syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
        ended(&call, result, NULL);
    });
    return (int)result;
}

int rename(const char *from, const char *to) { return renames(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return renames(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return renames(from_dir, from, to_dir, to, flags); }

/* A name in a folder that comes or goes by one call with the folder first. */
#define NAMED(label, sort, dirfd, name, system) \
    struct call call = {0}; \
    if (sockets || !path_at(dirfd, name, call.path) || !below(call.path)) return (int)(system); \
    long result; \
    LOCKED({ \
        begins(&call, label, sort, 0); \
        result = call.fails ? refused(&call) : (system); \
        if (result == 0 && sort != FREES) { struct stat found; if (fstatat(dirfd, name, &found, AT_SYMLINK_NOFOLLOW) == 0) call.inode = (uint64_t)found.st_ino; } \
        ended(&call, result, NULL); \
    }); \
    return (int)result;

int unlinkat(int dirfd, const char *name, int flags) { NAMED(flags & AT_REMOVEDIR ? "rmdir" : "unlink", FREES, dirfd, name, syscall(SYS_unlinkat, dirfd, name, flags)) }
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int mkdirat(int dirfd, const char *name, mode_t rights) { NAMED("mkdir", OPENS, dirfd, name, syscall(SYS_mkdirat, dirfd, name, rights)) }
int mkdir(const char *name, mode_t rights) { return mkdirat(AT_FDCWD, name, rights); }
int symlinkat(const char *target, int dirfd, const char *name) { NAMED("symlink", OPENS, dirfd, name, syscall(SYS_symlinkat, target, dirfd, name)) }
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }
int linkat(int from_dir, const char *from, int dirfd, const char *name, int flags) { NAMED("link", OPENS, dirfd, name, syscall(SYS_linkat, from_dir, from, dirfd, name, flags)) }
int link(const char *from, const char *name) { return linkat(AT_FDCWD, from, AT_FDCWD, name, 0); }
int truncate64(const char *name, off64_t length) { NAMED("truncate", NEEDS_ROOM, AT_FDCWD, name, syscall(SYS_truncate, name, length)) }
int truncate(const char *name, off_t length) { return truncate64(name, length); }

/* ---- bytes ---- */

static int is_socket(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

/* True where the call counts; a file's path, inode and the offset of the next write are known then. */
static int counts(struct call *call, int fd, long long offset) {
    if (sockets) return is_socket(fd);
    if (!path_of(fd, call->path) || !below(call->path) || nameless(call->path)) return 0;
    call->inode = inode_of(fd);
    call->offset = offset;
    if (offset < 0) {
        struct stat found;
        int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
        if (flags >= 0 && flags & O_APPEND) call->offset = fstat(fd, &found) == 0 ? (long long)found.st_size : 0;
        else call->offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    }
    return 1;
}

static ssize_t writes(const char *label, int fd, const struct iovec *pieces, int pieces_count, long long offset) {
    struct call call = {0};
    size_t total = 0;
    for (int next = 0; next < pieces_count; next++) total += pieces[next].iov_len;
    if (!counts(&call, fd, offset)) {
        if (offset >= 0) return pieces_count == 1 ? syscall(SYS_pwrite64, fd, pieces->iov_base, pieces->iov_len, offset) : syscall(SYS_pwritev, fd, pieces, pieces_count, offset, 0);
        return pieces_count == 1 ? syscall(SYS_write, fd, pieces->iov_base, pieces->iov_len) : syscall(SYS_writev, fd, pieces, pieces_count);
    }
    char *bytes = malloc(total ? total : 1);
    if (!bytes) loudly("no memory");
    size_t filled = 0;
    for (int next = 0; next < pieces_count; next++) {
        memcpy(bytes + filled, pieces[next].iov_base, pieces[next].iov_len);
        filled += pieces[next].iov_len;
    }
    long result;
    LOCKED({
        begins(&call, label, WRITES, (long long)total);
        if (call.only >= 0) total = (size_t)call.only;
        result = call.fails ? refused(&call) : offset >= 0 ? syscall(SYS_pwrite64, fd, bytes, total, offset) : syscall(SYS_write, fd, bytes, total);
        ended(&call, result, bytes);
    });
    int kept = errno;
    free(bytes);
    errno = kept;
    return result;
}

ssize_t write(int fd, const void *bytes, size_t length) { struct iovec piece = {(void *)bytes, length}; return writes("write", fd, &piece, 1, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { struct iovec piece = {(void *)bytes, length}; return writes("write", fd, &piece, 1, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { struct iovec piece = {(void *)bytes, length}; return writes("write", fd, &piece, 1, offset); }
ssize_t writev(int fd, const struct iovec *pieces, int pieces_count) { return writes("write", fd, pieces, pieces_count, -1); }
ssize_t pwritev(int fd, const struct iovec *pieces, int pieces_count, off_t offset) { return writes("write", fd, pieces, pieces_count, offset); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int pieces_count, off64_t offset) { return writes("write", fd, pieces, pieces_count, offset); }

#define ON_FILE(label, sort, fd, amount, system) \
    struct call call = {0}; \
    if (sockets || !counts(&call, fd, 0)) return (system); \
    long result; \
    LOCKED({ \
        begins(&call, label, sort, amount); \
        result = call.fails ? refused(&call) : (system); \
        ended(&call, result, NULL); \
    }); \
    return result;

int fsync(int fd) { ON_FILE("sync", FREES, fd, 0, (int)syscall(SYS_fsync, fd)) }
int fdatasync(int fd) { ON_FILE("sync", FREES, fd, 0, (int)syscall(SYS_fdatasync, fd)) }
int ftruncate64(int fd, off64_t length) { ON_FILE("length", NEEDS_ROOM, fd, length, (int)syscall(SYS_ftruncate, fd, length)) }
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int fallocate64(int fd, int how, off64_t offset, off64_t length) { ON_FILE("fallocate", NEEDS_ROOM, fd, length, (int)syscall(SYS_fallocate, fd, how, offset, length)) }
int fallocate(int fd, int how, off_t offset, off_t length) { return fallocate64(fd, how, offset, length); }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno; }
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }
ssize_t copy_file_range(int from, off64_t *from_offset, int fd, off64_t *offset, size_t length, unsigned flags) { ON_FILE("copy_file_range", WRITES, fd, (long long)length, syscall(SYS_copy_file_range, from, from_offset, fd, offset, length, flags)) }
ssize_t sendfile64(int fd, int from, off64_t *offset, size_t length) { ON_FILE("sendfile", WRITES, fd, (long long)length, syscall(SYS_sendfile, fd, from, offset, length)) }
ssize_t sendfile(int fd, int from, off_t *offset, size_t length) { return sendfile64(fd, from, (off64_t *)offset, length); }
ssize_t splice(int from, off64_t *from_offset, int fd, off64_t *offset, size_t length, unsigned flags) { ON_FILE("splice", WRITES, fd, (long long)length, syscall(SYS_splice, from, from_offset, fd, offset, length, flags)) }

static void no_mapping(int rights, int flags, int fd) {
    char path[PATH_MAX];
    if (fd >= 0 && rights & PROT_WRITE && flags & MAP_SHARED && path_of(fd, path) && below(path)) loudly("a shared mapping can be written past this shim");
}

void *mmap(void *place, size_t length, int rights, int flags, int fd, off_t offset) { no_mapping(rights, flags, fd); return (void *)syscall(SYS_mmap, place, length, rights, flags, fd, offset); }
void *mmap64(void *place, size_t length, int rights, int flags, int fd, off64_t offset) { no_mapping(rights, flags, fd); return (void *)syscall(SYS_mmap, place, length, rights, flags, fd, offset); }

/* ---- sockets ---- */

#define ON_SOCKET(fd, amount, whole, half) \
    struct call call = {0}; \
    if (!sockets || !is_socket(fd)) return (whole); \
    long result; \
    LOCKED({ \
        begins(&call, "send", WRITES, (long long)(amount)); \
        result = call.fails ? refused(&call) : call.only >= 0 ? (half) : (whole); \
        ended(&call, result, NULL); \
    }); \
    return result;

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) { ON_SOCKET(fd, length, syscall(SYS_sendto, fd, bytes, length, flags, to, to_length), syscall(SYS_sendto, fd, bytes, (size_t)call.only, flags, to, to_length)) }
ssize_t send(int fd, const void *bytes, size_t length, int flags) { return sendto(fd, bytes, length, flags, NULL, 0); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { ON_SOCKET(fd, 0, syscall(SYS_sendmsg, fd, message, flags), 0) }
