'use strict';

/** Why a job has no answer, or a call was refused. */
class RouetError extends Error {
  /**
   * @param {string} code a stable name: docs/errors.md has those of jobs
   * @param {string} message what failed, where and why
   */
  constructor(code, message, { url = null, cause, subcode = null } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.subcode = subcode;
    this.url = url;
  }

  /** One for a result: made in great numbers, and no line of the program is at fault. */
  static ofResult(code, message, rest) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      return new RouetError(code, message, rest);
    } finally {
      Error.stackTraceLimit = limit;
    }
  }
}
RouetError.prototype.name = 'RouetError';

module.exports = { RouetError };
