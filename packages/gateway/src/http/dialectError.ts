import type { DialectError as Worded } from '@assay/protocol'

/** An error with the headers that go along with it; `errorBody` words it in the dialect of the path. */
export type DialectError = Worded & { headers?: Record<string, string> | undefined }

/** Carries a dialect error out of a handler. */
export class RefusedError extends Error {
  readonly dialect: DialectError
  constructor(dialect: DialectError) {
    super(dialect.message)
    this.dialect = dialect
  }
}
