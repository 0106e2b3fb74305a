// The WebAssembly half of src/kernels/kernels.ts; src/kernels/wasmKernels.ts calls it.

export { encodeRows } from './encode'
export { hashLeaves, hashNodes } from './keccak'
export { dotRowsInt8, foldRowsInt8, foldRowsWords } from './matrix'
export {
  addHalves,
  addVector,
  dotWords,
  expandEq,
  foldHalves,
  foldWords,
  fractionRound,
  joinFractions,
  lookupLeaves,
  productRound,
  productRoundWords,
  toMontgomery,
} from './sumcheck'
