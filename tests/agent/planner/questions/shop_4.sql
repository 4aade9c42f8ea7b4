-- Fourth set over the demo shop, written blind.

-- count: how many support tickets do we have?
select count(*) from support_tickets;

-- count: number of shipped orders
select count(*) from orders where status = 'shipped';

-- count+year: how many customers signed up in 2024?
select count(*) from customers where signup_date like '2024%';

-- count: how many closed tickets were there in the delivery category?
select count(*) from support_tickets where status = 'closed' and category = 'delivery';

-- count: orders in May 2026
select id from orders where order_date >= '2026-05-01' and order_date < '2026-06-01';

-- metric: total amount paid in 2025
select sum(amount) from payments where paid_at like '2025%';

-- metric: what is our average order value?
select avg(total_amount) from orders where status <> 'cancelled';

-- metric: sum of shipping costs in Q1 2026
select sum(shipping_cost) from orders where order_date >= '2026-01-01' and order_date < '2026-04-01';

-- metric: average unit cost of Electronics
select avg(unit_cost) from products where category = 'Electronics';

-- metric: total stock of Books
select sum(stock_quantity) from products where category = 'Books';

-- metric: revenue from mobile app in June 2026
select sum(total_amount) from orders where status <> 'cancelled' and channel = 'mobile app' and order_date >= '2026-06-01' and order_date < '2026-07-01';

-- group: count of products by brand
select brand, count(*) from products group by 1;

-- group: average order value by country
select shipping_country, avg(total_amount) from orders where status <> 'cancelled' group by 1;

-- group: customers per segment and active status
select segment, is_active, count(*) from customers group by 1, 2;

-- group: revenue per city
select c.city, sum(o.total_amount) from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1;

-- group: quantity sold per category
select p.category, sum(i.quantity) from order_items i join products p on p.id = i.product_id group by 1;

-- group: failed payments by method
select method, count(*) from payments where status = 'failed' group by 1;

-- group: open tickets by category
select category, count(*) from support_tickets where status = 'open' group by 1;

-- group: total profit by brand in 2025
select p.brand, sum(i.line_total - i.quantity * p.unit_cost) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and o.order_date like '2025%' group by 1;

-- group-join: number of payments per order channel
select o.channel, count(*) from payments p join orders o on o.id = p.order_id group by 1;

-- group-join: tickets per customer country
select c.country, count(*) from support_tickets t join customers c on c.id = t.customer_id group by 1;

-- topn: top 5 brands by units sold in 2026
select p.brand, sum(i.quantity) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.order_date >= '2026-01-01' group by 1 order by s desc limit 5;

-- topn: top 10 products by profit
select p.id, sum(i.line_total - i.quantity * p.unit_cost) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 order by s desc limit 10;

-- topn: 3 customers with the most tickets
select customer_id, count(*) n from support_tickets group by 1 order by n desc, 1 limit 3;

-- topn: largest 5 payments
select id from payments order by amount desc, id limit 5;

-- topn: bottom 3 brands by revenue
select p.brand, sum(i.line_total) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 order by s limit 3;

-- topn: 5 newest products
select id from products order by launched_on desc, id limit 5;

-- topn-per-group: top 2 products per brand by revenue
select brand, name from (select p.brand, p.name, row_number() over (partition by p.brand order by sum(i.line_total) desc) r from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by p.id) where r <= 2;

-- topn-per-group: best selling product in each category by quantity
select category, name from (select p.category, p.name, row_number() over (partition by p.category order by sum(i.quantity) desc, p.id) r from order_items i join products p on p.id = i.product_id group by p.id) where r = 1;

-- superlative-group: which city has the most customers?
select city, count(*) n from customers group by 1 order by n desc limit 1;

-- superlative-group: which category has the highest average price?
select category, avg(unit_price) a from products group by 1 order by a desc limit 1;

-- superlative-group: which month had the lowest revenue in 2025?
select strftime('%Y-%m', order_date), sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by s limit 1;

-- superlative-group: which payment method has the most failed payments?
select method, count(*) n from payments where status = 'failed' group by 1 order by n desc limit 1;

-- superlative-group: which product was sold the most?
select p.id, sum(i.quantity) s from order_items i join products p on p.id = i.product_id group by 1 order by s desc limit 1;

-- superlative-row: the most expensive order
select id from orders order by total_amount desc limit 1;

-- superlative-row: which order has the highest shipping cost?
select id from orders order by shipping_cost desc, id limit 1;

-- trend: revenue per day in June 2026
select date(order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-06-01' and order_date < '2026-07-01' group by 1;

-- trend: payments per month in 2025
select strftime('%Y-%m', paid_at), count(*) from payments where paid_at like '2025%' group by 1;

-- trend: cancelled orders by month in 2025
select strftime('%Y-%m', order_date), count(*) from orders where status = 'cancelled' and order_date like '2025%' group by 1;

-- trend: new customers by quarter
select strftime('%Y', signup_date) || '-Q' || ((cast(strftime('%m', signup_date) as integer) + 2) / 3), count(*) from customers group by 1;

-- trend: yearly profit
select strftime('%Y', o.order_date), sum(i.line_total - i.quantity * p.unit_cost) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1;

-- trend+rel: daily tickets last week
select date(opened_at), count(*) from support_tickets where opened_at >= '2026-06-22' and opened_at < '2026-06-29' group by 1;

-- trend+rel: monthly revenue in the last 12 months
select strftime('%Y-%m', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2025-06-30' group by 1;

-- period: revenue yesterday
select sum(total_amount) from orders where status <> 'cancelled' and date(order_date) = '2026-06-29';

-- period: orders since 2026-06-01
select id from orders where order_date >= '2026-06-01';

-- period: orders before March 2024
select id from orders where order_date < '2024-03-01';

-- anti: products without orders
select p.id from products p where not exists (select 1 from order_items i where i.product_id = p.id);

-- anti: customers without orders
select id from customers c where not exists (select 1 from orders o where o.customer_id = c.id);

-- anti: customers who never opened a ticket
select id from customers c where not exists (select 1 from support_tickets t where t.customer_id = c.id);

-- anti: orders that have no payment
select id from orders o where not exists (select 1 from payments p where p.order_id = o.id);

-- anti: number of customers in Brazil without orders
select count(*) from customers c where country = 'Brazil' and not exists (select 1 from orders o where o.customer_id = c.id);

-- having: customers with at least 3 tickets
select customer_id from support_tickets group by 1 having count(*) >= 3;

-- having: products with more than 200 units sold
select p.id from products p join order_items i on i.product_id = p.id group by 1 having sum(i.quantity) > 200;

-- having: cities with more than 100 customers
select city from customers group by 1 having count(*) > 100;

-- having: customers with revenue above 3000 in 2025
select customer_id from orders where status <> 'cancelled' and order_date like '2025%' group by 1 having sum(total_amount) > 3000;

-- having: months with more than 300 orders
select strftime('%Y-%m', order_date), count(*) from orders group by 1 having count(*) > 300;

-- having: categories with at least 20 products
select category from products group by 1 having count(*) >= 20;

-- distinct: how many different products were sold in May 2026?
select count(distinct i.product_id) from order_items i join orders o on o.id = i.order_id where o.order_date >= '2026-05-01' and o.order_date < '2026-06-01';

-- distinct: how many countries do we have customers in?
select count(distinct country) from customers;

-- distinct: list the brands in Toys
select distinct brand from products where category = 'Toys';

-- distinct: what are the sales channels?
select distinct channel from orders;

-- share: share of revenue by country
select shipping_country, 100.0 * sum(total_amount) / (select sum(total_amount) from orders where status <> 'cancelled') from orders where status <> 'cancelled' group by 1;

-- share: percentage of products that are discontinued
select 100.0 * sum(discontinued) / count(*) from products;

-- share: what percentage of tickets are closed?
select 100.0 * sum(status = 'closed') / count(*) from support_tickets;

-- share: what share of orders comes from the web channel?
select 100.0 * sum(channel = 'web') / count(*) from orders;

-- ratio: ratio of active customers to inactive customers
select 1.0 * sum(is_active) / sum(is_active = 0) from customers;

-- ratio: refund rate by method
select method, 100.0 * sum(status = 'refunded') / count(*) from payments group by 1;

-- running: running total of revenue by quarter in 2025
select q, sum(s) over (order by q) from (select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3) q, sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1);

-- running: cumulative signups by month in 2026
select m, sum(n) over (order by m) from (select strftime('%Y-%m', signup_date) m, count(*) n from customers where signup_date >= '2026-01-01' group by 1);

-- growth: year over year growth of orders
with y as (select cast(strftime('%Y', order_date) as integer) y, count(*) s from orders group by 1) select a.y, a.s, 100.0 * (a.s - b.s) / b.s from y a join y b on a.y = b.y + 1;

-- nested: average number of payments per order
select avg(n) from (select order_id, count(*) n from payments group by 1);

-- nested: average revenue per country
select avg(s) from (select shipping_country, sum(total_amount) s from orders where status <> 'cancelled' group by 1);

-- nested: average number of orders per customer in 2025
select avg(n) from (select customer_id, count(*) n from orders where order_date like '2025%' group by 1);

-- list: urgent tickets opened this month
select id from support_tickets where priority = 'urgent' and opened_at >= '2026-06-01';

-- list: refunded payments over 500
select id from payments where status = 'refunded' and amount > 500;

-- list: Books products in stock
select id from products where category = 'Books' and stock_quantity > 0;

-- list: customers in Lyon or Paris who are active
select id from customers where city in ('Lyon', 'Paris') and is_active = 1;

-- list: orders of enterprise customers in June 2026
select o.id from orders o join customers c on c.id = o.customer_id where c.segment = 'enterprise' and o.order_date >= '2026-06-01' and o.order_date < '2026-07-01';

-- list: products cheaper than 15
select id from products where unit_price < 15;

-- list: customers who bought Acme products
select distinct o.customer_id from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.brand = 'Acme';

-- list: orders with Electronics
select distinct i.order_id from order_items i join products p on p.id = i.product_id where p.category = 'Electronics';

-- lookup: city of customer 20
select city from customers where id = 20;

-- lookup: price of Kasa Headphones
select unit_price from products where name = 'Kasa Headphones';

-- lookup: status of ticket 5
select status from support_tickets where id = 5;

-- lookup: name and email of customer 11
select first_name, last_name, email from customers where id = 11;

-- lookup: items of order 50
select id from order_items where order_id = 50;

-- lookup: when was order 77 placed?
select order_date from orders where id = 77;

-- minmax: first and last order date
select min(order_date), max(order_date) from orders;

-- minmax: lowest order total in 2025
select min(total_amount) from orders where order_date like '2025%';

-- minmax: latest ticket date
select max(opened_at) from support_tickets;

-- bool: active enterprise customers
select id from customers where is_active = 1 and segment = 'enterprise';

-- bool: how many products are discontinued?
select count(*) from products where discontinued = 1;

-- negated: customers not in Germany
select id from customers where country <> 'Germany';

-- negated: tickets that are not closed
select id from support_tickets where status <> 'closed';

-- negated: orders except cancelled ones in 2026
select id from orders where status <> 'cancelled' and order_date >= '2026-01-01';

-- null: tickets without a closing date
select id from support_tickets where closed_at is null;

-- null: how many tickets have a satisfaction score?
select count(*) from support_tickets where satisfaction is not null;

-- null: products without a launch date
select id from products where launched_on is null;

-- like: products with 'Bag' in the name
select id from products where name like '%Bag%';

-- like: products whose sku starts with 'A'
select id from products where sku like 'A%';

-- compare: compare orders of web and store by month in 2025
select strftime('%Y-%m', order_date), channel, count(*) from orders where channel in ('web', 'store') and order_date like '2025%' group by 1, 2;

-- compare: did Germany or France have more orders in 2025?
select shipping_country, count(*) n from orders where shipping_country in ('Germany', 'France') and order_date like '2025%' group by 1 order by n desc limit 1;

-- compare: Acme vs Kasa revenue
select p.brand, sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and p.brand in ('Acme', 'Kasa') group by 1;

-- duration: average days to close a ticket by priority
select priority, avg(julianday(closed_at) - julianday(opened_at)) from support_tickets group by 1;

-- duration: longest resolution time
select max(julianday(closed_at) - julianday(opened_at)) from support_tickets;

-- verb: customers who ordered more than once in June 2026
select customer_id from orders where order_date >= '2026-06-01' and order_date < '2026-07-01' group by 1 having count(*) > 1;

-- verb: how many customers bought Electronics in 2025?
select count(distinct o.customer_id) from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.category = 'Electronics' and o.order_date like '2025%';

-- verb-date: tickets closed last week
select id from support_tickets where closed_at >= '2026-06-22' and closed_at < '2026-06-29';

-- verb-date: orders returned in 2025
select id from orders where status = 'returned' and order_date like '2025%';

-- refuse: which marketing campaign worked best?
null;

-- refuse: why do customers leave?
null;

-- refuse: email all customers in Berlin
null;

-- refuse: truncate the orders table
null;

-- refuse: expected revenue in December 2026
null;

-- refuse: what is the best strategy for growth?
null;

-- refuse: customer satisfaction index
null;

-- refuse: which employee sold the most?
null;
