/* SPDX-License-Identifier: MIT */
/*
 * Who asks: the kernel names a thread, and tells nobody why it closes a file or what interrupts it.
 * All of this is about processes that wait for an answer of this mount; nothing here may touch the
 * mount.  Nor may it wait for the process: one that closes by an exec has /proc/PID/fd/N, stat and
 * wchan locked until it has its answer.  status and fdinfo are not.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The process that the thread belongs to; 0: unknown. */
pid_t caller_group(pid_t thread);
enum caller_state {
	CALLER_UNKNOWN, /* of another PID namespace, hidden, or gone */
	CALLER_LIVES,
	CALLER_KILLED, /* by SIGKILL, or by what kills by default and leaves no core dump */
	CALLER_ENDING  /* it closes its files because it ends: nobody hears what becomes of them */
};
enum caller_state caller_state(pid_t thread);
/* The mount that has its root there, as the processes of this mount namespace know it; 0: unknown.
 */
uint64_t caller_mount(const char *mountpoint);
/* Whether one of the process' descriptors writes the file of that inode number of that mount. */
bool caller_writes(pid_t group, uint64_t mount, uint64_t ino);

#endif
