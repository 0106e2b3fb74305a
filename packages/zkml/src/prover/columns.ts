/** The columns of a run. */

/** The integers of every column, by value index; multiplicities are still to be counted. */
export type Columns = (Int32Array | undefined)[]
