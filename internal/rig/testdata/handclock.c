/* Puts a program's wall clock into somebody's hand: preloaded, it stands in front of gettimeofday and reads the microseconds out of a file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long long *at;

__attribute__((constructor)) static void begin(void) {
	const char *path = getenv("HANDCLOCK_FILE");
	int fd = path ? open(path, O_RDONLY) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(0, sizeof *at, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	at = map;
	close(fd);
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
	(void)zone;
	long long now = *at;
	tv->tv_sec = now / 1000000;
	tv->tv_usec = now % 1000000;
	return 0;
}
