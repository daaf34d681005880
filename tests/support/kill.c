/* Loaded into a program (LD_PRELOAD), counts its steps: what it does to files whose path begins with STEPS_UNDER.
 *
 * STEPS_LOG   a file that each step is written to, one a line
 * STEPS_KILL  the step just before which the program is killed
 * STEPS_REST  the step just before which it rests for three seconds
 * STEPS_FAIL  the step that is not done and fails with the error number STEPS_ERROR; with STEPS_ON, all after it too
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int steps;

static int number(const char *name)
{
	const char *value = getenv(name);
	return value ? atoi(value) : 0;
}

/* Whether this step is to fail; does not return where the program is to end. */
static int fails(const char *call, const char *path)
{
	const char *under = getenv("STEPS_UNDER"), *log = getenv("STEPS_LOG");
	if (!under || strncmp(path, under, strlen(under)) != 0)
		return 0;
	int step = atomic_fetch_add(&steps, 1) + 1;
	if (log) {
		char line[4352];
		int length = snprintf(line, sizeof line, "%s %s\n", call, path + strlen(under));
		int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT, 0600);
		syscall(SYS_write, file, line, length);
		syscall(SYS_close, file);
	}
	if (step == number("STEPS_KILL")) {
		kill(getpid(), SIGKILL);
		pause();
	}
	if (step == number("STEPS_REST"))
		sleep(3);
	int failing = number("STEPS_FAIL");
	if (failing == 0 || step < failing || (step > failing && !getenv("STEPS_ON")))
		return 0;
	errno = number("STEPS_ERROR");
	return 1;
}

static int fails_on(const char *call, int file)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", file);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return 0;
	path[length] = 0;
	return fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define BY_PATH(type, name, declared, passed, path) \
	type name declared { return fails(#name, path) ? -1 : REAL(name) passed; }
#define BY_FILE(type, name, declared, passed) \
	type name declared { return fails_on(#name, file) ? -1 : REAL(name) passed; }

#define OPENS(name, declared, passed)                                    \
	int name declared                                                \
	{                                                                \
		va_list more;                                            \
		va_start(more, flags);                                   \
		int mode = flags & O_CREAT ? va_arg(more, int) : 0;      \
		va_end(more);                                            \
		if (flags & (O_CREAT | O_TRUNC) && fails(#name, path))   \
			return -1;                                       \
		return REAL(name) passed;                                \
	}

OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int in, const char *path, int flags, ...), (in, path, flags, mode))
OPENS(openat64, (int in, const char *path, int flags, ...), (in, path, flags, mode))

BY_PATH(int, rename, (const char *from, const char *to), (from, to), from)
BY_PATH(int, link, (const char *from, const char *to), (from, to), from)
BY_PATH(int, unlink, (const char *path), (path), path)
BY_PATH(int, truncate64, (const char *path, off64_t size), (path, size), path)
BY_PATH(int, chmod, (const char *path, mode_t mode), (path, mode), path)
BY_FILE(ssize_t, write, (int file, const void *from, size_t size), (file, from, size))
BY_FILE(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at))
BY_FILE(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at))
BY_FILE(int, ftruncate, (int file, off_t size), (file, size))
BY_FILE(int, ftruncate64, (int file, off64_t size), (file, size))
BY_FILE(int, fsync, (int file), (file))
BY_FILE(int, fdatasync, (int file), (file))
BY_FILE(int, fchmod, (int file, mode_t mode), (file, mode))
BY_FILE(int, fchown, (int file, uid_t user, gid_t group), (file, user, group))
