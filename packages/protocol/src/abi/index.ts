/** ABIs of the contracts. Written by contracts/scripts/compile.ts; never edit it by hand. */
export * from './opg.ts'
