/** What the elements of a trace truly are, for whoever knows what was meant. */
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import type { Operand, Trace } from '../../veil/trace.ts'

/** Every node's value. @throws ZkmlError invalid_proof where a zero should have an inverse, by chance or by a false run */
export function hiddenValues({ nodes }: Trace, meant: readonly Ext[]): Ext[] {
  const values: Ext[] = []
  const truth = (operand: Operand) => (typeof operand === 'number' ? (values[operand] as Ext) : operand)
  let heard = 0
  for (const node of nodes) {
    switch (node.op) {
      case 'said':
        values.push(meant[heard++] as Ext)
        break
      case 'product':
        values.push(ext.mul(truth(node.x), truth(node.y)))
        break
      case 'inverse': {
        const value = truth(node.of)
        if (ext.isZero(value)) throw new ZkmlError('invalid_proof', 'a lookup has a zero denominator')
        values.push(ext.inverse(value))
        break
      }
      case 'sum':
        values.push(ext.add(truth(node.a), truth(node.b)))
        break
      case 'difference':
        values.push(ext.sub(truth(node.a), truth(node.b)))
        break
      case 'scaled':
        values.push(ext.mul(truth(node.a), node.by))
        break
    }
  }
  return values
}
