/* Keeps secrets in memory from core dumps. */
#ifndef BASE_DUMPS_H
#define BASE_DUMPS_H

/*
 * From now on the process leaves no core, and no other process of its user may look into it. For everyone who
 * loads a password or a private key, before they load it. Calling it again is harmless.
 */
void dumps_forbid(void);

#endif
