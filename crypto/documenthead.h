/* SPDX-License-Identifier: MIT */
/*
 * What is told of a document besides its text, gathered from the tokens as they pass: a part of
 * document.c.
 */
#ifndef CRYPTO_DOCUMENTHEAD_H
#define CRYPTO_DOCUMENTHEAD_H

#include "base/jsonscan.h"
#include "crypto/document.h"

struct documenthead {
	struct document_head head;
	const struct container_def *def;
	struct span
		*text; /* where the string of this member of the document goes, NULL = nowhere */
	bool is_ts;
	/*
	 * By partition path: how many of its tokens are the names on the way to where the scan is.
	 */
	unsigned matched[CONTAINER_PATHS_MAX];
};

void documenthead_init(struct documenthead *h, const struct container_def *def);

/* The scan has returned a name.  Whether anything below its value is of interest. */
bool documenthead_name(struct documenthead *h, const struct jsonscan *s);

/* The scan has returned a scalar. */
void documenthead_scalar(struct documenthead *h, const struct jsonscan *s, enum jsonscan_token t);

#endif
