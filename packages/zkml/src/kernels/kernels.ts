/**
 * The loops in which a prover spends its time, over one linear memory. There are two implementations: WebAssembly with
 * SIMD (`packages/zkml/kernels/`, AssemblyScript), and plain TypeScript (`scalarKernels.ts`), against which every kernel is tested.
 *
 * Pointers are byte addresses. A *word* is an unsigned 32-bit field element below p. A *vector* of extension elements is
 * five planes of words, `stride` words apart; a *list* of them is interleaved, five words each. "Montgomery" elements x
 * are stored as x·2^32 mod p; a product of one Montgomery and one plain factor is plain.
 */
export type Kernels = {
  /**
   * Multiplies a table by eq of more variables above its own: on entry the first 2^from elements of `out` stand; on
   * return out[i + 2^from·j] = out[i]·eq(point, j) for j < 2^(variables − from). `point` is a Montgomery list of one
   * coordinate for each of those variables; the table's form is kept.
   */
  expandEq(out: number, stride: number, from: number, variables: number, point: number): void
  /** a[i] += b[i], vectors of n elements. */
  addVector(a: number, strideA: number, b: number, strideB: number, n: number): void
  /** out[j] = Σ weights[i]·matrix[i][j], int8 matrix, plain list in, plain vector (stride = columns) out. */
  foldRowsInt8(matrix: number, rows: number, columns: number, weights: number, out: number): void
  /** out[i] = Σ weights[j]·matrix[i][j], int8 matrix, plain vector (stride = columns) in, plain list out. */
  dotRowsInt8(matrix: number, rows: number, columns: number, weights: number, out: number): void
  /** out[j] = Σ weights[i]·matrix[i][j], matrix of plain words, Montgomery list in, plain vector out. */
  foldRowsWords(matrix: number, rows: number, columns: number, weights: number, out: number): void
  /** out (one list element) = Σ weights[i]·column[i], plain words, Montgomery vector in, plain out. */
  dotWords(column: number, n: number, weights: number, stride: number, out: number): void
  /**
   * Reed–Solomon codewords of `rows` messages of 2^rowBits plain words, as columns: out[j·rows + i] is position j of
   * row i, positions in bit-reversed order as in `encodeMessage`. `scratch` holds eight codewords; `roots` the stages'
   * Montgomery powers one after another: ω^i for i < n/2, then ω^2i for i < n/4, … , n = 2^(rowBits + blowupBits).
   */
  encodeRows(
    messages: number,
    rows: number,
    rowBits: number,
    blowupBits: number,
    roots: number,
    scratch: number,
    out: number,
  ): void
  /** out[j] (32 bytes) = `hashLeaf` of the j-th run of `rows` words. */
  hashLeaves(columns: number, count: number, rows: number, out: number): void
  /** out[j] = `hashNode` of the 2j-th and (2j+1)-th hash. */
  hashNodes(hashes: number, count: number, out: number): void
  /**
   * Leaves of one lookup block: out[i] = base − first[i] − beta·second[i], Montgomery. `base` and `beta` are one element
   * each, base in Montgomery form, beta in the form x·2^64.
   */
  lookupLeaves(
    first: number,
    second: number,
    n: number,
    base: number,
    beta: number,
    out: number,
    stride: number,
  ): void
  /** out[i] = in[i]·2^32 mod p: plain words to Montgomery words. */
  toMontgomery(words: number, n: number, out: number): void
  /** Parents of n fractions: i is joined with i + n/2; strides n and n/2, all Montgomery. */
  joinFractions(p: number, q: number, n: number, outP: number, outQ: number): void
  /**
   * One round over n pairs of children, p₀, p₁, q₀, q₁ at `stride`; `weights` is a vector of n/2. Gives the values at 0
   * and at infinity of Σ weights·(p₀q₁ + p₁q₀ + lambda·q₀q₁), a list of two in `out`. All Montgomery.
   */
  fractionRound(
    p0: number,
    p1: number,
    q0: number,
    q1: number,
    stride: number,
    n: number,
    weights: number,
    weightsStride: number,
    lambda: number,
    out: number,
  ): void
  /** v[i] += challenge·(v[i + n/2] − v[i]) for i < n/2: the highest of the variables bound. Montgomery challenge. */
  foldHalves(vector: number, stride: number, n: number, challenge: number): void
  /** v[i] += v[i + n/2] for i < n/2. */
  addHalves(vector: number, stride: number, n: number): void
  /** Values at 0 and infinity of Σ a·b over the highest variable; a plain, b Montgomery; a list of two, plain. */
  productRound(a: number, strideA: number, b: number, strideB: number, n: number, out: number): void
  /** `productRound` for a column of plain words instead of a. */
  productRoundWords(a: number, b: number, strideB: number, n: number, out: number): void
  /** `foldHalves` of plain words into a plain vector of n/2. */
  foldWords(words: number, n: number, challenge: number, out: number, stride: number): void
}
