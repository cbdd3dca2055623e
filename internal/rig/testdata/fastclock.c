/* Lets a program's wall clock run faster from an instant on: preloaded, it stands in front of gettimeofday. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long since, speed;

__attribute__((constructor)) static void begin(void) {
	const char *at = getenv("FASTCLOCK_SINCE_US"), *by = getenv("FASTCLOCK_SPEED");
	since = at ? atoll(at) : 0;
	speed = by ? atoll(by) : 1;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
	(void)zone;
	struct timespec ts;
	if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) != 0)
		return -1;
	long long now = ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
	if (since != 0)
		now = since + (now - since) * speed;
	tv->tv_sec = now / 1000000;
	tv->tv_usec = now % 1000000;
	return 0;
}
