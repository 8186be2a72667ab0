package engines;

import org.camunda.bpm.engine.rest.security.auth.ProcessEngineAuthenticationFilter;
import org.camunda.bpm.engine.rest.security.auth.impl.HttpBasicAuthenticationProvider;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Asks for a user and password of the engine when the launch says so. */
@Configuration
public class BasicAuthentication {

  // The raw type serves javax.servlet and jakarta.servlet alike.
  @Bean
  @ConditionalOnProperty("engines.basic-auth")
  @SuppressWarnings({"rawtypes", "unchecked"})
  FilterRegistrationBean authenticationFilter(@Value("${engines.base-path}") String basePath) {
    FilterRegistrationBean registration = new FilterRegistrationBean();
    registration.setFilter(new ProcessEngineAuthenticationFilter());
    registration.addInitParameter(
        "authentication-provider", HttpBasicAuthenticationProvider.class.getName());
    registration.addUrlPatterns(basePath + "/*");
    registration.setAsyncSupported(true);
    return registration;
  }
}
