package engines;

import javax.sql.DataSource;
import org.h2.jdbcx.JdbcConnectionPool;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;

/** The beans that this old a starter wants before Spring Boot would have made them. */
@Configuration
public class Database {

  @Bean
  DataSource dataSource(@Value("${spring.datasource.url}") String url) {
    return JdbcConnectionPool.create(url, "sa", "");
  }

  @Bean
  PlatformTransactionManager transactionManager(DataSource dataSource) {
    return new DataSourceTransactionManager(dataSource);
  }
}
