/* SPDX-License-Identifier: MIT */
/*
 * A decorator that makes any store fail on purpose: for tests.  A script is a
 * list of rules, "OP[:NTH[+]] ACTION [ARG]" separated by ';', for example
 *   "get:3 cut 5; get:4+ errno EIO; list:2 delay 200"
 * OP: list probe head get put block commit meta copy delete folder properties; NTH counts from 1,
 * '+' = from then on, none = every call; ACTION: errno NAME, delay MS, cut N (fails with EIO
 * after N bytes; list, probe and head: after N entries), flip OFFSET (get only: one bit of the
 * stored byte at that offset of the object), stall (waits for the deadline, then ETIMEDOUT), lost
 * (what writes only: it is done, and then fails with EIO, as if the answer had been lost).  What
 * reads bytes or entries can be cut; folder is both making and removing.
 */
#ifndef BACKEND_STORE_FAULT_H
#define BACKEND_STORE_FAULT_H

#include "backend/store/store.h"

/* Takes inner (also on failure).  -EINVAL names the bad rule. */
int fault_store_new_take(struct store *inner, const char *script, struct store **out,
			 struct err *e) MUST_CHECK;

/* Calls seen so far of one operation. */
unsigned fault_store_calls(struct store *s, const char *op);

#endif
