import type { Scene } from './scene.ts'
import { copying } from './scenes/copying.ts'
import { equivocation } from './scenes/equivocation.ts'
import { falseProof } from './scenes/falseProof.ts'
import { falseWitness } from './scenes/falseWitness.ts'
import { forgery } from './scenes/forgery.ts'
import { overclaim } from './scenes/overclaim.ts'
import { withholding } from './scenes/withholding.ts'

/** Seven ways to lie on a running network, each found, proven and paid for by the liar. */
export const SCENES: readonly Scene[] = [
  forgery,
  equivocation,
  copying,
  overclaim,
  withholding,
  falseWitness,
  falseProof,
]
