/* SPDX-License-Identifier: MIT */
/*
 * The names of the objects that are open in one scan, for the scanner alone: see jsonscan.h.
 *
 * Names come and go like a stack: those of an object are forgotten at its end.  A table finds
 * them; since the last to come is the first to go, a place in it is freed without a trace.
 */
#ifndef BASE_JSONNAMES_H
#define BASE_JSONNAMES_H

#include "base/jsonscan.h"

enum jsonnames_answer { JSONNAMES_NEW, JSONNAMES_AGAIN, JSONNAMES_NO_MEMORY };

/* Forgets everything: a new text begins. */
void jsonnames_reset(struct jsonnames *n);
/* An object is open at that depth (1..JSONSCAN_DEPTH_MAX); later ones lie deeper. */
void jsonnames_open(struct jsonnames *n, unsigned depth);
/* A name of the object at that depth: raw, as in a scan that took it, in a text that stays. */
enum jsonnames_answer jsonnames_add(struct jsonnames *n, unsigned depth, struct span raw,
				    bool escaped) MUST_CHECK;
void jsonnames_close(struct jsonnames *n, unsigned depth);

#endif
