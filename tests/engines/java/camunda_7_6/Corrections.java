package engines;

import org.camunda.bpm.engine.impl.cfg.AbstractProcessEnginePlugin;
import org.camunda.bpm.engine.impl.cfg.ProcessEngineConfigurationImpl;
import org.springframework.stereotype.Component;

/** What this old a starter gets wrong, or has no property for. */
@Component
public class Corrections extends AbstractProcessEnginePlugin {

  /** The starter sets empty collections, and the engine fills only those that are null. */
  @Override
  public void preInit(ProcessEngineConfigurationImpl configuration) {
    configuration.setBatchHandlers(null);
    configuration.setCommandCheckers(null);
    configuration.setBatchPollTime(1);
  }

  @Override
  public void postInit(ProcessEngineConfigurationImpl configuration) {
    configuration.getJobExecutor().setMaxWait(1000);
  }
}
