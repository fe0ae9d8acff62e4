/* SPDX-License-Identifier: MIT */
/*
 * Folders where there are none: an empty blob with the metadata item hdi_isfolder, or names that
 * go on after a '/'.
 */
#ifndef BACKEND_STORE_AZFOLDER_H
#define BACKEND_STORE_AZFOLDER_H

#include "backend/store/azname.h"

/* As store_make_folder and store_remove_folder; url is the marker's. */
int azfolder_make(const struct azname_store *b, const char *name, const char *url,
		  struct deadline d, struct err *e) MUST_CHECK;
int azfolder_remove(const struct azname_store *b, const char *name, const char *url,
		    struct deadline d, struct err *e) MUST_CHECK;

#endif
