/* SPDX-License-Identifier: MIT */
/* The local key provider from text that is in memory already; see jwks_provider_new in provider.h.
 */
#ifndef BACKEND_KEYS_JWKS_H
#define BACKEND_KEYS_JWKS_H

#include "backend/keys/provider.h"

/* file: where the text is from; names of PEM files are relative to its directory. */
int jwks_provider_from_text(struct span text, const char *file, struct provider **out,
			    struct err *e) MUST_CHECK;

#endif
