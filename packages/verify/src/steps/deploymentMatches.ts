import type { Deployment } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The chain that was asked is the deployment that the reader meant. */
export function deploymentMatches(view: ChainView, expected: Deployment | undefined): Promise<Step> {
  return step('deploymentMatches', () => {
    const found = view.deployment
    const name = `chain ${found.chainId}, Settlement ${found.settlement}`
    if (expected === undefined) return skipped('deployment_not_given', `Checked against ${name} as found.`)
    const equal =
      found.chainId === expected.chainId &&
      same(found.settlement, expected.settlement) &&
      same(found.deploymentId, expected.deploymentId)
    return equal
      ? passed(`The deployment is ${name}.`)
      : failed(
          'deployment_differs',
          `The chain asked is ${name}; expected was chain ${expected.chainId}, ` +
            `Settlement ${expected.settlement}, deployment ${expected.deploymentId}.`,
        )
  })
}
