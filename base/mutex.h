/* SPDX-License-Identifier: MIT */
/*
 * Locks.  Ranks, to be taken downwards only (a lock may be taken while holding
 * locks of a lower number, never of a higher one):
 *
 *   1  fs/nodes     node table                 5  backend/keys/keyring  entries
 *   2  fs/dirs      listings                   6  backend/net/token     tokens
 *   3  fs/spans     span cache, read-ahead;    7  backend/net/http      connection pool
 *      fs/docbodies, fs/docstream
 *   4  base/budget  memory shares              8  base/pool, base/log, base/secret
 *
 * Those of backend/store (what a service has told, who paces) are leaves: nothing is locked under
 * them.  No lock is held across I/O.  Functions that need a lock held on entry end
 * in _locked.
 */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <assert.h>
#include <pthread.h>

static inline void
mutex_lock(pthread_mutex_t *m)
{
	int r = pthread_mutex_lock(m);

	assert(r == 0);
	(void)r;
}

static inline void
mutex_unlock(pthread_mutex_t *m)
{
	int r = pthread_mutex_unlock(m);

	assert(r == 0);
	(void)r;
}

#endif
